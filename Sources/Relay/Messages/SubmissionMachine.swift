// One message from its first byte of content to its outcome: what state it is in, and what is to be
// done next. A value: no loop, no descriptor, no closure, no clock. `Submission` drives it.
//
//   receiving(held | cutThrough | paused) ──▶ finishing ──▶ draining ──▶ awaiting ──▶ done
//        │                                    │ └───────────────▲──────────▲  │  └▶ recording ▲
//        │                                    └▶ asking ──▶ completing ────┘  ▼               │
//        ▼                                         ▲▼                      abandoned ─────────┘
//     decided ──▶ done    (client gone) ──▶ gone  waiting
//
// When the ledger may know something of it, the message asks at its dot (`asking`, unless the answer
// is there at once). While another try of it is under way, it waits for that one's answer (`waiting`).
// A group that some recipients refused for the moment is answered when its records are on disk
// (`recording`).
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
        /// The ledger was asked.
        case asking(Client)
        /// Another try of the same message is under way; the ledger is asked again in a moment.
        case waiting(Client)
        /// The ledger has answered that the message is to be sent, and the request is being completed.
        case completing(Client)
        /// The request is not complete: text that was held back waits for the API to read.
        case draining(Client)
        /// The API has the request, or a group's calls are under way: the answer is due.
        case awaiting(Client)
        /// The calls of a group have ended, and the ledger writes down who has the message.
        case recording(Outcome, Client)
        /// The API's answer is awaited without a client: the answer goes into the ledger.
        case abandoned
        /// The outcome is known, and told if there is a client.
        case done(Outcome, Client)
        /// The client left before the API had anything complete.
        case gone
    }

    private(set) var phase: Phase
    /// When the client must have its reply: set once, at the end of data.
    private(set) var deadline: MonotonicTime
    /// The ledger has a record that ends when the client has seen its 250.
    private var hasRecord = false
    /// It has waited for another try of the same message.
    private var hasWaited = false
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

    /// The outcome is known, and its client may never see the reply.
    var isEndInDoubt: Bool {
        if case .done(_, .inDoubt) = phase { return true }
        return false
    }

    /// The outcome, as soon as it is known.
    var outcome: Outcome? {
        switch phase {
        case .decided(let outcome), .done(let outcome, _): outcome
        case .gone: .unavailable(isUncertain: false)
        case .receiving, .finishing, .asking, .waiting, .completing, .draining, .awaiting,
            .recording, .abandoned:
            nil
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
    ///   - isKnown: whether the ledger may have a record of it.
    mutating func endOfData(
        by deadline: MonotonicTime, at now: MonotonicTime, isKnown: Bool
    ) -> SubmissionVerdict? {
        switch phase {
        case .receiving:
            self.deadline = deadline
            phase = .finishing
            guard deadline > now else { return end(.unavailable(isUncertain: false)) }
            return isKnown ? .askLedger : .completeBody(by: deadline)
        case .decided(let outcome):
            phase = .done(outcome, .watched)
            return nil
        default: return nil
        }
    }

    /// The ledger was asked, and answers later.
    mutating func ledgerAsked() {
        switch phase {
        case .finishing: phase = .asking(.watched)
        case .waiting(let client): phase = .asking(client)
        default: break
        }
    }

    /// What the ledger knows of the same submission.
    mutating func ledgerFound(_ finding: SubmissionFinding) -> SubmissionVerdict? {
        let client: Client
        switch phase {
        case .finishing: client = .watched
        case .asking(let asking), .waiting(let asking): client = asking
        // Told to somebody who is gone: it has to be there for the next one.
        case .gone: return finding.isTaken ? .giveBack : nil
        default: return nil
        }
        switch finding {
        case .unknown:
            // Others waited too: the other try's answer may have gone to a newer one, so that a client
            // that may be gone sends a second copy.
            if hasWaited, client == .inDoubt { return end(.unavailable(isUncertain: false)) }
            if phase != .finishing { phase = .completing(client) }
            return .completeBody(by: deadline)
        case .known(let outcome, _):
            hasRecord = true
            return end(outcome)
        case .mixed: return end(.unavailable(isUncertain: false))
        case .underWay:
            phase = .waiting(client)
            hasWaited = true
            return .waitForOther
        }
    }

    /// The other try may have its answer now.
    mutating func otherMayHaveEnded(at now: MonotonicTime) -> SubmissionVerdict? {
        guard case .waiting(let client) = phase else { return nil }
        return now < deadline && client == .watched
            ? .askLedger : end(.unavailable(isUncertain: false))
    }

    /// The request is complete (for a group: its calls are under way).
    mutating func bodyCompleted() -> SubmissionVerdict? {
        switch phase {
        case .finishing: phase = .awaiting(.watched)
        case .draining(let client): phase = .awaiting(client)
        case .completing(let client):
            phase = .awaiting(client)
            return client == .inDoubt ? .recordPending(until: deadline) : nil
        default: break
        }
        return nil
    }

    /// The API has to read before the rest of the request can be written.
    mutating func bodyWaits() -> SubmissionVerdict? {
        switch phase {
        case .finishing: phase = .draining(.watched)
        case .completing(let client):
            phase = .draining(client)
            return client == .inDoubt ? .recordPending(until: deadline) : nil
        default: break
        }
        return nil
    }

    /// The ledger has records of its recipients.
    mutating func recipientsAreRecorded() { hasRecord = true }

    // MARK: - The answer

    /// The call has ended (for a group: the last one). A success for a request that was never
    /// complete is not believed.
    /// - Parameter owesRecords: the next try of a group must know who has the message before the
    ///   client may make it.
    mutating func answered(
        _ outcome: consuming Outcome, owesRecords: Bool = false
    ) -> SubmissionVerdict? {
        switch phase {
        case .receiving, .draining: return end(outcome.believed(isComplete: false))
        case .awaiting(let client) where owesRecords, .completing(let client) where owesRecords:
            phase = .recording(outcome, client)
            return .awaitRecords
        default: return end(outcome)
        }
    }

    /// The records of a group are written, or mail goes on without.
    mutating func recordsWritten() -> SubmissionVerdict? {
        guard case .recording(let outcome, _) = phase else { return nil }
        return end(outcome)
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
        case .draining(.watched):
            phase = .draining(.inDoubt)
            return .recordPending(until: deadline)
        case .awaiting(.watched):
            phase = .awaiting(.inDoubt)
            return .recordPending(until: deadline)
        // Nothing is under way yet, or no more.
        case .asking: phase = .asking(.inDoubt)
        case .waiting: phase = .waiting(.inDoubt)
        case .completing: phase = .completing(.inDoubt)
        case .recording(let outcome, _): phase = .recording(outcome, .inDoubt)
        default: break
        }
        return nil
    }

    /// The client is gone, or the message is too large.
    /// - Parameter kind: what a message counts as that the API does not get.
    mutating func abandoned(as kind: OutcomeKind) -> SubmissionVerdict? {
        switch phase {
        case .receiving, .finishing, .asking, .waiting, .completing:
            phase = .gone
            return .drop(kind, settles: false)
        case .draining(let client):
            phase = .gone
            return .drop(kind, settles: client == .inDoubt)
        case .awaiting:
            phase = .abandoned
            return .awaitSilently(until: deadline)
        case .recording(let outcome, let client):
            phase = .done(outcome, .inDoubt)
            return .end(.nobody, client == .inDoubt ? .settle : .nothing)
        case .decided, .abandoned, .done, .gone: return nil
        }
    }

    /// The client has shown that it saw the reply.
    mutating func replySeen() -> SubmissionVerdict? {
        guard hasRecord, case .done(.accepted, _) = phase else { return nil }
        hasRecord = false
        return .forget
    }

    /// The connection ended in a way that leaves open whether the client saw the reply. What was in
    /// doubt already is recorded.
    func replyUnseen() -> SubmissionVerdict? {
        guard case .done(let outcome, .watched) = phase else { return nil }
        if outcome.isAccepted { return .record }
        return outcome.isForTheMoment ? nil : .recordRecipients
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
            return .end(.nobody, note(isAccepted, .watched))
        case .asking(let client), .waiting(let client), .completing(let client),
            .draining(let client), .awaiting(let client), .recording(_, let client):
            phase = .done(outcome, client)
            return .end(.sessionFinishes, note(isAccepted, client))
        case .abandoned:
            phase = .done(outcome, .inDoubt)
            return .end(.nobody, isAccepted ? .record : .settle)
        case .decided, .done, .gone: return nil
        }
    }

    /// What the ledger is told at the end. A client that has ended its side may never see the 250, so
    /// the doubt begins when that is written.
    private func note(_ isAccepted: Bool, _ client: Client) -> SubmissionVerdict.Note {
        guard client == .inDoubt else { return .nothing }
        return isAccepted ? .record : .settle
    }
}

/// What the ledger knows of a submission whose dot has come.
enum SubmissionFinding: Equatable {
    case unknown
    /// Its outcome is known.
    /// - Parameter isTaken: of an acceptance that the ledger tells once.
    case known(Outcome, isTaken: Bool)
    /// Some recipients need nothing more, and they can't be left out any more.
    case mixed
    /// An earlier try still waits for the API; to send now could send twice.
    case underWay

    var isTaken: Bool {
        if case .known(_, isTaken: true) = self { true } else { false }
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
    /// Ask the ledger about the same submission; `ledgerFound` follows, at once or, after
    /// `ledgerAsked`, later.
    case askLedger
    /// Another try is under way; `otherMayHaveEnded` follows in a moment.
    case waitForOther
    /// The ledger gets back what it has told.
    case giveBack
    /// The reply waits until the records of a group are written; `recordsWritten` follows, after a
    /// bounded time whatever happens.
    case awaitRecords
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
    /// The ledger has to know what has become of each recipient of a group.
    case recordRecipients
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
