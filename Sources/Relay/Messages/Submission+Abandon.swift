// What becomes of a submission whose client is gone or may be, or whose message is too large, and
// what is remembered for the client's next try.

import Reactor

extension Submission {
    /// What is left of a submission that nobody waits for.
    enum Remains {
        case nothing
        /// The API has it; its body and its memory are in use until the answer comes.
        case isAwaited
    }

    /// The client is gone, or the message is too large: nothing may reach the API as complete.
    /// After `finish` the answer is still awaited (for the duplicate guard), silently.
    /// - Parameters:
    ///   - kind: what it counts as.
    ///   - memory: what the message has reserved; kept for as long as its body is in use.
    @discardableResult
    func abandon(
        as kind: OutcomeKind = .abandoned, holding memory: consuming MemoryShare? = nil
    ) -> Remains {
        owner = nil
        guard outcome == nil else { return .nothing }
        switch phase {
        case .receiving, .draining:
            if group == nil {
                worker.counters.messages.count(kind, bytes: contentBytes)
                phase = .done
                release()
            } else {
                awaitSilently()
            }
        case .awaiting: awaitSilently()
        case .done: break
        }
        guard isAbandoned else { return .nothing }
        self.memory = memory
        return .isAwaited
    }

    private func awaitSilently() {
        guard !isAbandoned else { return }
        isAbandoned = true
        worker.counters.messagesUnawaited += 1
        recordInFlight()
    }

    /// The client has ended its side while the answer is awaited: another try of it must not make a
    /// second call meanwhile. It is told the outcome all the same.
    func clientMayBeGone() {
        guard outcome == nil, !isClientInDoubt else { return }
        isClientInDoubt = true
        recordInFlight()
    }

    /// What the client's next try must know of before the answer is there: the call in flight, and
    /// which recipients of a group have the message from before.
    private func recordInFlight() {
        group?.recordAccepted()
        if let digest {
            worker.shared.duplicates.recordPending(digest, until: deadline, at: worker.loop.now)
        }
    }

    /// The answer to a call that was noted as in flight is no success: a new try may be made at
    /// once.
    func settleInFlight() {
        if let digest { worker.shared.duplicates.settle(digest) }
    }

    /// The client can't have seen the 250 that followed `.accepted`: note it for the duplicate
    /// guard. Called by the session when the connection breaks before the next command.
    func acceptedButUnseen() {
        guard case .accepted(let messageID) = outcome else { return }
        if let group {
            // With or without a Message-ID: who has the message never gets it again.
            group.recordAccepted()
        } else if let digest {
            worker.shared.duplicates.record(digest, messageID: messageID, at: worker.loop.now)
        }
    }

    /// The client has ended its side behind the message, and was there to read the reply.
    func acceptedAndSeen() {
        guard isClientInDoubt else { return }
        settleInFlight()
        group?.forgetAccepted()
    }
}
