// Hidden recipients, each with a call of its own: which one is next, which facts the ledger has to
// know, and what it all comes to. A value; `GroupSend` drives it.
//
// What one try leaves for the next: who has the message, who was refused for good, who was tried. It
// leaves something only when a recipient was refused for the moment, because then the client comes
// back. The next try asks those first that were never tried, so that no recipient waits for another
// one that fails each time.

import APIClient
import Reactor

/// Decides for one message to several hidden recipients. Takes what calls came to, says whom to
/// send to next and, at the end, the one outcome for the client.
struct GroupMachine {
    private enum Recipient: Equatable {
        case waiting
        case inFlight
        /// Has the message, from this try or from an earlier one.
        case accepted(messageID: [UInt8])
        case failed(Outcome)
    }

    /// One fact for the ledger.
    struct Note: Equatable {
        var index: Int
        var fact: LedgerFact
    }

    private var recipients: [Recipient]
    /// Recipients that may have a record: of an earlier try, or of this one.
    private var isRecorded: [Bool]
    /// Whom to ask, in turn.
    private var turn: [Int]
    private var next = 0
    private var inFlight = 0
    private let inFlightMax: Int
    /// A call failed in a way that all others would: no new ones.
    private var isStopped = false
    /// A recipient was refused for the moment, so the client comes back.
    private var isPartial = false
    /// Recipients accepted in this try.
    private var acceptedNow = 0
    /// Facts that the ledger has not been told.
    private var owed: [Note] = []
    /// Facts of earlier tries that count from this try on, when it adds to them.
    private var renewable: [Note] = []

    init(count: Int, inFlightMax: Int) {
        precondition(count > 0 && inFlightMax > 0)
        recipients = Array(repeating: .waiting, count: count)
        isRecorded = Array(repeating: false, count: count)
        turn = Array(0..<count)
        self.inFlightMax = inFlightMax
    }

    // MARK: - Calls

    /// What the ledger knows of each recipient; before the first call, at most once.
    /// - Parameter isRenewed: what is known of them counts from now on, when this try adds to it.
    mutating func found(_ records: [LedgerRecord?], isRenewed: Bool) {
        precondition(next == 0 && records.count == recipients.count)
        var tried: [(index: Int, until: MonotonicTime)] = []
        for (index, record) in records.enumerated() {
            guard let record else { continue }
            switch record.fact {
            case .delivered(let messageID): recipients[index] = .accepted(messageID: messageID)
            case .refused(let refusal): recipients[index] = .failed(refusal.outcome)
            case .tried: tried.append((index, record.until))
            case .accepted, .pending: continue
            }
            isRecorded[index] = true
            if isRenewed { renewable.append(Note(index: index, fact: record.fact)) }
        }
        tried.sort { ($0.until, $0.index) < ($1.until, $1.index) }
        turn = recipients.indices.filter { recipients[$0] == .waiting && !isRecorded[$0] }
        turn += tried.map(\.index)
    }

    /// Recipients of whom the ledger knew that they need no call.
    var knownCount: Int { recipients.count - turn.count }

    /// The next recipient to make a call for, or nil when none may be made now.
    mutating func nextCall() -> Int? {
        guard !isStopped, inFlight < inFlightMax, next < turn.count else { return nil }
        let index = turn[next]
        next += 1
        recipients[index] = .inFlight
        inFlight += 1
        return index
    }

    /// The call for this recipient has ended.
    /// - Parameter isComplete: whether the API had the whole request.
    mutating func ended(_ index: Int, _ outcome: Outcome, isComplete: Bool) {
        precondition(recipients[index] == .inFlight)
        inFlight -= 1
        let outcome = outcome.believed(isComplete: isComplete)
        if case .accepted(let messageID) = outcome {
            acceptedNow += 1
            recipients[index] = .accepted(messageID: messageID)
            owed.append(Note(index: index, fact: .delivered(messageID: messageID)))
            return
        }
        recipients[index] = .failed(outcome)
        if outcome.isForTheMoment {
            isPartial = true
            owed.append(Note(index: index, fact: .tried))
        } else if let refusal = LedgerRefusal(outcome) {
            owed.append(Note(index: index, fact: .refused(refusal)))
        }
        if !outcome.isOfOneRecipient { isStopped = true }
    }

    /// Nothing is in flight and nothing more will be.
    var isDone: Bool { inFlight == 0 && (isStopped || next == turn.count) }

    // MARK: - The ledger

    /// Facts that the ledger has to be told now, each once: as soon as it is certain that the client
    /// will come back.
    mutating func takeNotes() -> [Note] {
        guard isPartial else { return [] }
        var notes = owed
        owed = []
        if isDone, acceptedNow > 0 {
            notes += renewable.filter { note in
                if case .tried = note.fact { false } else { true }
            }
            renewable = []
        }
        for note in notes { isRecorded[note.index] = true }
        return notes
    }

    /// What has become of each recipient, when a try ended in a permanent reply that its client may
    /// not have seen: the client may come back as after a reply for the moment.
    var allNotes: [Note] {
        var notes: [Note] = []
        for (index, recipient) in recipients.enumerated() {
            switch recipient {
            case .accepted(let messageID):
                notes.append(Note(index: index, fact: .delivered(messageID: messageID)))
            case .failed(let outcome):
                guard let refusal = LedgerRefusal(outcome) else { continue }
                notes.append(Note(index: index, fact: .refused(refusal)))
            case .waiting, .inFlight: continue
            }
        }
        return notes
    }

    /// Recipients of whom nothing is to be remembered any more, once the group has its end.
    var recorded: [Int] { recipients.indices.filter { isRecorded[$0] } }

    // MARK: - The whole

    /// Whether any recipient has the message.
    var hasAccepted: Bool {
        recipients.contains { if case .accepted = $0 { true } else { false } }
    }

    /// The message id of each recipient that has the message, in the order of the recipients.
    var messageIDs: [[UInt8]] {
        recipients.compactMap {
            if case .accepted(let messageID) = $0 { return messageID }
            return nil
        }
    }

    /// The outcome of the whole: accepted when everybody was, the worst otherwise. A suppressed
    /// recipient among others is no failure, as it is none in a call for all of them. A failure
    /// that may pass outranks one that stays, so that the client comes back for the rest.
    var outcome: Outcome {
        var worst: Outcome?
        for recipient in recipients {
            switch recipient {
            case .waiting, .inFlight: continue
            case .accepted(let messageID):
                worst = Self.worse(.accepted(messageID: messageID), than: worst)
            case .failed(let failure): worst = Self.worse(failure, than: worst)
            }
        }
        return worst ?? .unavailable(isUncertain: false)
    }

    /// The outcome for recipients of whom some had `worst` and one more had `outcome`.
    static func worse(_ outcome: Outcome, than worst: Outcome?) -> Outcome {
        guard let worst else { return outcome }
        return rank(outcome) > rank(worst) ? outcome : worst
    }

    private static func rank(_ outcome: Outcome) -> Int {
        switch outcome {
        case .allSuppressed: 0
        case .accepted: 1
        case .unavailable(isUncertain: true): 7
        case .unavailable, .noRoom: 6
        case .rateLimited, .planLimit: 5
        default: outcome.isForTheMoment ? 4 : outcome.isOfOneRecipient ? 2 : 3
        }
    }
}

extension Outcome {
    /// Its reply is a 4yz: the client comes back.
    var isForTheMoment: Bool {
        // The key is another one when the client comes back.
        if case .keyRefused = self { return true }
        return reply(isVerbose: false).code / 100 == 4
    }

    /// Another recipient of the same message may fare better.
    fileprivate var isOfOneRecipient: Bool {
        switch self {
        case .accepted, .allSuppressed, .invalidRequest: true
        default: false
        }
    }
}

extension LedgerFact {
    /// What it means for a recipient that needs no call; nil when one is needed.
    var outcome: Outcome? {
        switch self {
        case .delivered(let messageID): .accepted(messageID: messageID)
        case .refused(let refusal): refusal.outcome
        case .tried, .accepted, .pending: nil
        }
    }
}

extension LedgerRefusal {
    /// How a recipient was refused for good; nil for an outcome that is none of a recipient.
    init?(_ outcome: Outcome) {
        switch outcome {
        case .allSuppressed: self = .suppressed
        case .invalidRequest: self = .rejected
        case .forbidden: self = .forbidden
        case .tooLarge: self = .tooLarge
        default: return nil
        }
    }

    /// The outcome in a later try: without the API's words, which are not kept.
    var outcome: Outcome {
        switch self {
        case .suppressed: .allSuppressed
        case .rejected: .invalidRequest(message: [])
        case .forbidden: .forbidden(message: [])
        case .tooLarge: .tooLarge
        }
    }
}
