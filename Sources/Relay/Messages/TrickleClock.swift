// When an upload whose client pauses hands over a byte all the same.
//
// A proxy before the API may end an upload of which it hears nothing for some seconds, and a mail
// client may pause for a minute. So of what the client has brought a little is kept back
// (`RequestBody`), and leaves byte by byte while nothing else does. A machine: it is asked once a
// second while the upload is under way, so it costs nothing for each piece of content.

import APIClient
import Reactor

/// Decides when a byte is due.
struct TrickleClock {
    /// How often it is to be asked.
    static let lookMilliseconds = 1_000
    /// A byte is due when nothing has left for so long. With the time between two looks, nothing has
    /// left for three seconds at most.
    private static let quietMilliseconds = 2_000

    private var sentBytes = 0
    private var since = MonotonicTime(nanoseconds: 0)

    /// The upload begins.
    init(at now: MonotonicTime) { since = now }

    /// - Parameter sentBytes: of the body, handed to a connection so far.
    /// - Returns: whether a byte is due. It is still due at the next look if it could not leave.
    mutating func look(sentBytes: Int, at now: MonotonicTime) -> Bool {
        guard sentBytes == self.sentBytes else {
            note(sentBytes, at: now)
            return false
        }
        return now.milliseconds(since: since) >= Self.quietMilliseconds
    }

    /// The byte has left, or is about to.
    mutating func trickled(at now: MonotonicTime) {
        note(sentBytes + RequestBody.trickleBytes, at: now)
    }

    private mutating func note(_ sentBytes: Int, at now: MonotonicTime) {
        self.sentBytes = sentBytes
        since = now
    }
}
