// Which questions about scopes were asked, and what the server said. Nearly all are answered with no,
// so only the others are kept, and a message that never asks for its answer costs nothing.

import Relay

/// Questions about scopes on one loop.
struct TicketBook {
    private static let positivesMax = 4_096

    private var last: UInt64 = 0
    private var lastSent: UInt64 = 0
    private var lastAnswered: UInt64 = 0
    /// Not sent yet: an equal question is the same one.
    private var unsentTickets: [LedgerScope: UInt64] = [:]
    /// The latest question about each scope, while it has no answer.
    private var openTickets: [LedgerScope: UInt64] = [:]
    /// With whether there are records of recipients.
    private var positives: [UInt64: Bool] = [:]
    private var order = Line<UInt64>()
    /// What was said to tickets up to this one is not known any more.
    private var forgotten: UInt64 = 0

    /// A new ticket.
    mutating func ask(_ scope: LedgerScope) -> UInt64 {
        last += 1
        unsentTickets[scope] = last
        openTickets[scope] = last
        return last
    }

    /// The ticket of a question that was not sent yet.
    func unsent(_ scope: LedgerScope) -> UInt64? { unsentTickets[scope] }

    /// The ticket of the latest question that has no answer.
    func unanswered(_ scope: LedgerScope) -> UInt64? { openTickets[scope] }

    func isUnsent(_ ticket: UInt64) -> Bool { ticket > lastSent }

    /// Everything has been sent.
    mutating func sent() {
        lastSent = last
        if !unsentTickets.isEmpty { unsentTickets.removeAll(keepingCapacity: true) }
    }

    /// In the order of the tickets. Nil: there is no answer.
    mutating func answered(_ ticket: UInt64, of scope: LedgerScope, _ holding: Holding?) {
        if openTickets[scope] == ticket { openTickets[scope] = nil }
        lastAnswered = max(lastAnswered, ticket)
        lastSent = max(lastSent, ticket)
        guard holding != .nothing else { return }
        positives[ticket] = holding != .wholes
        order.append(ticket)
        if order.count > Self.positivesMax, let oldest = order.popFirst() {
            positives[oldest] = nil
            forgotten = oldest
        }
    }

    /// True also for a ticket that has no answer, or whose answer is not known any more.
    func mayHold(_ ticket: UInt64) -> Bool {
        ticket > lastAnswered || ticket <= forgotten || positives[ticket] != nil
    }

    /// The same of records of recipients.
    func mayHoldRecipients(_ ticket: UInt64) -> Bool {
        ticket > lastAnswered || ticket <= forgotten || positives[ticket] == true
    }
}

/// What records a scope has.
enum Holding {
    case nothing
    /// None of recipients.
    case wholes
    case recipients
}

/// First in, first out.
struct Line<Element> {
    private var elements: [Element?] = []
    private var head = 0

    var first: Element? { head < elements.count ? elements[head] : nil }
    var count: Int { elements.count - head }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        let element = elements[head]
        elements[head] = nil
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 1_024, head > elements.count / 2 {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }

    func contains(_ isWanted: (Element) -> Bool) -> Bool {
        elements[head...].contains { $0.map(isWanted) ?? false }
    }
}
