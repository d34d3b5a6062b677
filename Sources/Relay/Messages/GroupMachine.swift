// Hidden recipients, each with a call of its own: which one is next, which ones the ledger has to
// know of, and what it all comes to. A value; `GroupSend` drives it.

import APIClient

/// Decides for one message to several hidden recipients. Takes what calls came to, says whom to
/// send to next and, at the end, the one outcome for the client.
struct GroupMachine {
    private enum Recipient: Equatable {
        case waiting
        case inFlight
        /// Has the message, from this try or from an earlier one. The ledger is told once: a later
        /// try may have claimed it meanwhile, and what that one claimed must not come back.
        case accepted(messageID: [UInt8], isRecorded: Bool)
        case failed(Outcome)
    }

    private var recipients: [Recipient]
    private var inFlight = 0
    private let inFlightMax: Int
    private var cursor = 0
    /// A call failed in a way that all others would: no new ones.
    private var isStopped = false
    /// Each acceptance has to be in the ledger at once: the client is gone or may be.
    private var isRecording = false

    init(count: Int, inFlightMax: Int) {
        precondition(count > 0 && inFlightMax > 0)
        recipients = Array(repeating: .waiting, count: count)
        self.inFlightMax = inFlightMax
    }

    // MARK: - Calls

    /// This recipient has the message from an earlier try.
    mutating func skip(_ index: Int, messageID: [UInt8]) {
        precondition(recipients[index] == .waiting)
        recipients[index] = .accepted(messageID: messageID, isRecorded: false)
    }

    /// The next recipient to make a call for, or nil when none may be made now.
    mutating func next() -> Int? {
        guard !isStopped, inFlight < inFlightMax else { return nil }
        while cursor < recipients.count, recipients[cursor] != .waiting { cursor += 1 }
        guard cursor < recipients.count else { return nil }
        recipients[cursor] = .inFlight
        inFlight += 1
        return cursor
    }

    /// The call for this recipient has ended.
    /// - Parameter isComplete: whether the API had the whole request.
    mutating func ended(_ index: Int, _ outcome: Outcome, isComplete: Bool) {
        precondition(recipients[index] == .inFlight)
        inFlight -= 1
        let outcome = outcome.believed(isComplete: isComplete)
        if case .accepted(let messageID) = outcome {
            recipients[index] = .accepted(messageID: messageID, isRecorded: false)
            return
        }
        recipients[index] = .failed(outcome)
        switch outcome {
        case .allSuppressed, .invalidRequest: break
        default: isStopped = true
        }
    }

    /// Nothing is in flight and nothing more will be.
    var isDone: Bool { inFlight == 0 && (isStopped || !recipients.contains(.waiting)) }

    // MARK: - The ledger

    /// From now on the ledger has to know of each acceptance at once.
    mutating func recordsFromNowOn() { isRecording = true }

    /// Recipients that the ledger has to be told of now, with the message ids. There are some as
    /// soon as the client may be gone, and when the whole is no success: the next try must not send
    /// to them again. Each is said once.
    mutating func takeToRecord() -> [(index: Int, messageID: [UInt8])] {
        guard isRecording || isDone && !outcome.isAccepted else { return [] }
        var taken: [(index: Int, messageID: [UInt8])] = []
        for index in recipients.indices {
            guard case .accepted(let messageID, isRecorded: false) = recipients[index] else {
                continue
            }
            recipients[index] = .accepted(messageID: messageID, isRecorded: true)
            taken.append((index, messageID))
        }
        return taken
    }

    /// Recipients that the ledger was told of.
    var recorded: [Int] {
        recipients.indices.filter {
            if case .accepted(_, isRecorded: true) = recipients[$0] { return true }
            return false
        }
    }

    // MARK: - The whole

    /// The outcome of the whole: accepted when everybody was, the worst otherwise. A suppressed
    /// recipient among others is no failure, as it is none in a call for all of them. A failure
    /// that may pass outranks one that stays, so that the client comes back for the rest.
    var outcome: Outcome {
        var worst: Outcome?
        for recipient in recipients {
            let outcome: Outcome
            switch recipient {
            case .waiting, .inFlight: continue
            case .accepted(let messageID, _): outcome = .accepted(messageID: messageID)
            case .failed(let failure): outcome = failure
            }
            if worst == nil || Self.rank(outcome) > Self.rank(worst!) { worst = outcome }
        }
        return worst ?? .unavailable(isUncertain: false)
    }

    private static func rank(_ outcome: Outcome) -> Int {
        switch outcome {
        case .allSuppressed: 0
        case .accepted: 1
        case .invalidRequest, .unparsable, .attachmentLimit: 2
        case .forbidden, .tooLarge, .groupTooLarge: 3
        case .keyRefused: 4
        case .rateLimited, .planLimit: 5
        case .noRoom: 6
        case .unavailable(let isUncertain): isUncertain ? 7 : 6
        }
    }
}
