// One message from its first byte of content to its outcome: what state it is in, and what is to be
// done next. A value: no loop, no descriptor, no closure, no clock. `Submission` drives it.
//
//   receiving(held | cutThrough | paused) ──▶ finishing ──▶ draining ──▶ awaiting ──▶ done
//        │                                        └───────────────────────▲  │          ▲
//        ▼                                                                   ▼          │
//     decided ──▶ done                     (client gone) ──▶ gone        abandoned ─────┘
//
// A message up to the threshold is held whole before its call is made; a longer one is cut through
// while it arrives. It promises: nothing that is incomplete is ever completed, an outcome is told
// once, and what a client cannot know is in the ledger before the client can come back.

import APIClient
import Reactor

/// Decides about one message. Each event answers with one verdict, or nil: nothing is to be done.
struct SubmissionMachine {
    /// How the content that arrives reaches the API.
    enum Receiving: Equatable {
        /// In memory so far; there is no call. A group stays here to its last byte.
        case held
        /// The call takes what arrives.
        case cutThrough
        /// The call has enough for now, and the session feeds no more.
        case paused
    }

    /// Whether somebody waits for the reply.
    enum Client: Equatable {
        case watched
        /// The client has ended its side: it is gone, or it will read the reply and say no more. The
        /// ledger knows that the message is under way.
        case inDoubt
    }

    enum Phase: Equatable {
        /// DATA arrives.
        case receiving(Receiving)
        /// The outcome is known while DATA still arrives: the rest is thrown away.
        case decided(Outcome)
        /// DATA is complete, and `finish` has not returned: an outcome is its result.
        case finishing
        /// The request is not complete: text that was held back waits for the API to read.
        case draining(Client)
        /// The API has the request, or a group's calls are under way: the answer is due.
        case awaiting(Client)
        /// The same without a client: the answer goes into the ledger.
        case abandoned
        /// The outcome is known, and told if there is a client.
        case done(Outcome, Client)
        /// The client left before the API had anything complete.
        case gone
    }

    private(set) var phase: Phase
    /// When the client must have its reply: set once, at the end of data.
    private(set) var deadline: MonotonicTime
    private let thresholdBytes: Int

    /// - Parameters:
    ///   - thresholdBytes: a body of more bytes is cut through.
    ///   - phase: where it begins; only tests begin elsewhere.
    init(
        thresholdBytes: Int, phase: Phase = .receiving(.held), deadline: MonotonicTime = .never
    ) {
        self.thresholdBytes = thresholdBytes
        self.phase = phase
        self.deadline = deadline
    }

    /// Content may be fed, and has to be looked at.
    var isReceiving: Bool {
        if case .receiving = phase { return true }
        return false
    }

    /// The session has to wait before it feeds more.
    var isPaused: Bool {
        if case .receiving(.paused) = phase { return true }
        return false
    }

    /// The API's answer is awaited, and nobody waits for the reply.
    var isAbandoned: Bool {
        if case .abandoned = phase { return true }
        return false
    }

    /// The outcome, as soon as it is known.
    var outcome: Outcome? {
        switch phase {
        case .decided(let outcome), .done(let outcome, _): outcome
        case .gone: .unavailable(isUncertain: false)
        case .receiving, .finishing, .draining, .awaiting, .abandoned: nil
        }
    }

    // MARK: - Content

    /// The mapper has taken a piece of content.
    /// - Parameter bodyBytes: of the request so far.
    mutating func contentFed(bodyBytes: Int) -> SubmissionVerdict? {
        switch phase {
        case .receiving(.held):
            guard bodyBytes > thresholdBytes else { return nil }
            phase = .receiving(.cutThrough)
            return .startCall
        case .receiving: return .growCall
        default: return nil
        }
    }

    /// The call knows of everything that was fed.
    /// - Parameter isFull: more is pending than the upload's high mark.
    mutating func callHasGrown(isFull: Bool) -> SubmissionVerdict? {
        guard isFull, case .receiving(.cutThrough) = phase else { return nil }
        phase = .receiving(.paused)
        return .pauseSession
    }

    /// The API has read: less is pending than the upload's low mark.
    mutating func apiWantsBody() -> SubmissionVerdict? {
        switch phase {
        case .receiving(.paused):
            phase = .receiving(.cutThrough)
            return .continueSession
        case .draining: return .pumpBody
        default: return nil
        }
    }

    /// The message cannot be sent as it is, or what was held back of it cannot be read.
    mutating func mapperFailed(_ failure: Outcome) -> SubmissionVerdict? { end(failure) }

    // MARK: - The end of data

    /// The dot has come, and the mapper has written everything but what is held back.
    /// - Parameters:
    ///   - deadline: when the client must have its reply. It may have passed: a dot can wait in
    ///     memory until the API has taken what came before it. Nothing is completed any more then.
    ///   - isGuarded: whether a second copy of the message can be told.
    mutating func endOfData(
        by deadline: MonotonicTime, at now: MonotonicTime, isGuarded: Bool
    ) -> SubmissionVerdict? {
        switch phase {
        case .receiving:
            self.deadline = deadline
            phase = .finishing
            guard deadline > now else { return end(.unavailable(isUncertain: false)) }
            return isGuarded ? .askLedger : .completeBody(by: deadline)
        case .decided(let outcome):
            phase = .done(outcome, .watched)
            return nil
        default: return nil
        }
    }

    /// What the ledger knows of the same submission.
    mutating func ledgerFound(_ finding: LedgerFinding) -> SubmissionVerdict? {
        guard case .finishing = phase else { return nil }
        switch finding {
        case .unknown: return .completeBody(by: deadline)
        case .accepted(let messageID): return end(.accepted(messageID: messageID))
        case .pending: return end(.unavailable(isUncertain: false))
        }
    }

    /// The request is complete (for a group: its calls are under way).
    mutating func bodyCompleted() {
        switch phase {
        case .finishing: phase = .awaiting(.watched)
        case .draining(let client): phase = .awaiting(client)
        default: break
        }
    }

    /// The API has to read before the rest of the request can be written.
    mutating func bodyWaits() {
        if case .finishing = phase { phase = .draining(.watched) }
    }

    // MARK: - The answer

    /// The call has ended (for a group: the last one). A success for a request that was never
    /// complete is not believed.
    mutating func answered(_ outcome: consuming Outcome) -> SubmissionVerdict? {
        switch phase {
        case .receiving, .draining: end(outcome.believed(isComplete: false))
        default: end(outcome)
        }
    }

    /// The API has read nothing for as long as it may take: the request is incomplete, so it is
    /// certain that nothing was acted on.
    mutating func stalled() -> SubmissionVerdict? {
        switch phase {
        case .receiving, .draining: end(.unavailable(isUncertain: false))
        default: nil
        }
    }

    // MARK: - The client

    /// The client has ended its side while it waits for the reply: another try of the same message
    /// must not make a second call meanwhile. It is told the outcome all the same.
    mutating func clientInDoubt() -> SubmissionVerdict? {
        switch phase {
        case .draining(.watched): phase = .draining(.inDoubt)
        case .awaiting(.watched): phase = .awaiting(.inDoubt)
        default: return nil
        }
        return .recordPending(until: deadline)
    }

    /// The client is gone, or the message is too large.
    /// - Parameter kind: what a message counts as that the API does not get.
    mutating func abandoned(as kind: OutcomeKind) -> SubmissionVerdict? {
        switch phase {
        case .receiving, .finishing:
            phase = .gone
            return .drop(kind, settles: false)
        case .draining(let client):
            phase = .gone
            return .drop(kind, settles: client == .inDoubt)
        case .awaiting:
            phase = .abandoned
            return .awaitSilently(until: deadline)
        case .decided, .abandoned, .done, .gone: return nil
        }
    }

    /// The client has shown that it saw the reply.
    mutating func replySeen() -> SubmissionVerdict? {
        guard case .done(_, .inDoubt) = phase, let outcome, outcome.isAccepted else { return nil }
        phase = .done(outcome, .watched)
        return .forget
    }

    /// The connection ended in a way that leaves open whether the client saw the reply.
    func replyUnseen() -> SubmissionVerdict? {
        guard case .done(.accepted, _) = phase else { return nil }
        return .record
    }

    // MARK: - The end

    private mutating func end(_ outcome: consuming Outcome) -> SubmissionVerdict? {
        let isAccepted = outcome.isAccepted
        switch phase {
        case .receiving(let receiving):
            phase = .decided(outcome)
            return .end(receiving == .paused ? .sessionContinues : .nobody, .nothing)
        case .finishing:
            phase = .done(outcome, .watched)
            return .end(.nobody, .nothing)
        case .draining(let client), .awaiting(let client):
            phase = .done(outcome, client)
            let settles = client == .inDoubt && !isAccepted
            return .end(.sessionFinishes, settles ? .settle : .nothing)
        case .abandoned:
            phase = .done(outcome, .inDoubt)
            return .end(.nobody, isAccepted ? .record : .settle)
        case .decided, .done, .gone: return nil
        }
    }
}

/// What `Submission` does next. A trivial value; the outcome itself is the machine's.
enum SubmissionVerdict: Equatable {
    /// Start the call on what there is of the body; `callHasGrown` follows.
    case startCall
    /// The call may take what was added to the body; `callHasGrown` follows.
    case growCall
    /// The session feeds no more, and the stall timer runs.
    case pauseSession
    /// The stall timer stops, and the session goes on.
    case continueSession
    /// Ask the ledger about the same submission; `ledgerFound` follows.
    case askLedger
    /// Write what was held back and complete the request, or make the calls of a group.
    case completeBody(by: MonotonicTime)
    /// Write more of what was held back.
    case pumpBody
    /// The ledger has to know that the message is under way.
    case recordPending(until: MonotonicTime)
    /// The same; and the answer is awaited without a client.
    case awaitSilently(until: MonotonicTime)
    /// The ledger has to know that the message was accepted.
    case record
    /// The ledger forgets what it was told: the client knows.
    case forget
    /// Tell the ledger, count the outcome, let go of everything, and tell the session at last.
    case end(Told, Note)
    /// Count it, and let go of everything: nothing that is incomplete reaches the API as complete.
    case drop(OutcomeKind, settles: Bool)

    /// What the session is told of an outcome.
    enum Told: Equatable {
        /// Nothing: there is none, or it asks by itself at the end of data.
        case nobody
        /// It feeds the rest of DATA, which is thrown away.
        case sessionContinues
        /// It sends the reply.
        case sessionFinishes
    }

    /// What the ledger is told of an outcome.
    enum Note: Equatable {
        case nothing
        /// It was accepted, and nobody knows.
        case record
        /// What was pending has ended without a success.
        case settle
    }
}

extension Outcome {
    var isAccepted: Bool {
        if case .accepted = self { return true }
        return false
    }

    /// A success is believed only when the API had the whole request.
    func believed(isComplete: Bool) -> Outcome {
        isAccepted && !isComplete ? .unavailable(isUncertain: true) : self
    }
}
