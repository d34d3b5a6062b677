// What becomes of a submission whose client is gone, or whose message is too large.

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
    @discardableResult
    func abandon() -> Remains {
        owner = nil
        guard outcome == nil else { return .nothing }
        switch phase {
        case .receiving, .draining:
            if group == nil {
                worker.counters.messagesAbandoned += 1
                phase = .done
                release()
            } else {
                awaitSilently()
            }
        case .awaiting: awaitSilently()
        case .done: break
        }
        return isAbandoned ? .isAwaited : .nothing
    }

    private func awaitSilently() {
        guard !isAbandoned else { return }
        isAbandoned = true
        worker.counters.messagesAbandoned += 1
        if let digest {
            worker.shared.duplicates.recordPending(digest, until: deadline, at: worker.loop.now)
        }
    }
}
