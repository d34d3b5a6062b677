// Hidden recipients, each with a call of their own: which one is next, and what it comes to.

import APIClient

/// Decides for one message to several hidden recipients. Takes what calls came to, says whom to
/// send to next and, at the end, the one outcome for the client.
struct GroupMachine {
    private enum State: Equatable {
        case waiting, inFlight
        case ended(Outcome)
    }

    private var states: [State]
    private var inFlight = 0
    private let inFlightMax: Int
    private var cursor = 0
    /// A call failed in a way that all others would: no new ones.
    private var isStopped = false

    init(count: Int, inFlightMax: Int) {
        precondition(count > 0 && inFlightMax > 0)
        states = Array(repeating: .waiting, count: count)
        self.inFlightMax = inFlightMax
    }

    /// This recipient has the message from an earlier try.
    mutating func skip(_ index: Int, messageID: [UInt8]) {
        precondition(states[index] == .waiting)
        states[index] = .ended(.accepted(messageID: messageID))
    }

    /// The next recipient to make a call for, or nil when none may be made now.
    mutating func next() -> Int? {
        guard !isStopped, inFlight < inFlightMax else { return nil }
        while cursor < states.count, states[cursor] != .waiting { cursor += 1 }
        guard cursor < states.count else { return nil }
        states[cursor] = .inFlight
        inFlight += 1
        return cursor
    }

    mutating func ended(_ index: Int, _ outcome: Outcome) {
        precondition(states[index] == .inFlight)
        states[index] = .ended(outcome)
        inFlight -= 1
        switch outcome {
        case .accepted, .allSuppressed, .invalidRequest: break
        default: isStopped = true
        }
    }

    /// Nothing is in flight and nothing more will be.
    var isDone: Bool { inFlight == 0 && (isStopped || !states.contains(.waiting)) }

    /// Recipients that have the message, with its id.
    func forEachAccepted(_ body: (_ index: Int, _ messageID: [UInt8]) -> Void) {
        for index in states.indices {
            if case .ended(.accepted(let messageID)) = states[index] { body(index, messageID) }
        }
    }

    /// The outcome of the whole: accepted when everybody was, the worst otherwise. A suppressed
    /// recipient among others is no failure, as it is none in a call for all of them. A failure
    /// that may pass outranks one that stays, so that the client comes back for the rest.
    var outcome: Outcome {
        var worst: Outcome?
        for case .ended(let outcome) in states {
            if worst == nil || Self.rank(outcome) > Self.rank(worst!) { worst = outcome }
        }
        return worst ?? .unavailable(isUncertain: false)
    }

    private static func rank(_ outcome: Outcome) -> Int {
        switch outcome {
        case .allSuppressed: 0
        case .accepted: 1
        case .invalidRequest, .unparsable, .attachmentLimit: 2
        case .forbidden, .tooLarge: 3
        case .keyRefused: 4
        case .rateLimited: 5
        case .unavailable(let isUncertain): isUncertain ? 7 : 6
        }
    }
}
