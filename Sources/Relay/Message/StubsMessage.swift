// STUB of the contract (author: relay-mapper). Replace by the real files, one per concept.

import Reactor
import Wire

/// Who hands in a message: the session. Called on the loop, never during a call it makes itself.
class SubmissionOwner: KeyCheckOwner {
    /// After `feed` said pause: more may be fed.
    func submissionCanContinue(_ submission: Submission) {}
    /// The outcome, once, after `finish` returned nil.
    func submissionFinished(_ submission: Submission, _ outcome: Outcome) {}
}

/// One message on its way: fed by the session, mapped to JSON, drained by the API pool.
final class Submission {
    enum FeedVerdict {
        case goOn
        /// Taken, but feed no more before `submissionCanContinue`.
        case pause
        /// The outcome is known already (unparsable, early answer): the rest of DATA may be thrown
        /// away; `finish` will return it.
        case decided
    }

    /// - Parameter envelope: read during this call only.
    init(worker: Worker, envelope: borrowing Envelope, key: APIKey, owner: SubmissionOwner,
        sessionID: UInt64) { fatalError() }
    /// Content of DATA, transparency dots off; read during this call only.
    func feed(_ content: Bytes) -> FeedVerdict { fatalError() }
    /// The end of data was seen. The outcome if it is known now, else nil and
    /// `submissionFinished` follows within the API timeout.
    func finish() -> Outcome? { fatalError() }
    /// The client is gone, or the message is too large: nothing may reach the API as complete.
    /// After `finish` the answer is still awaited (for the duplicate guard), silently.
    func abandon() {}
    /// The client can't have seen the 250 that followed `.accepted`: note it for the duplicate
    /// guard. Called by the session when the connection breaks before the next command.
    func acceptedButUnseen() {}
}

/// Accepted messages whose 250 was not seen, for `--duplicate-window`. Shared by all loops, bounded.
final class DuplicateGuard: Sendable {
    init(windowMilliseconds: Int) {}
}
