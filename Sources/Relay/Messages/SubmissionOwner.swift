// What a submission tells the session that feeds it.

import APIClient

/// Who hands in a message: the session. Called on the loop, never during a call it makes itself.
package class SubmissionOwner: KeyCheckOwner {
    /// After `feed` said pause: more may be fed.
    func submissionCanContinue(_ submission: Submission) {}
    /// The outcome, once, after `finish` returned nil.
    func submissionFinished(_ submission: Submission, _ outcome: Outcome) {}
}
