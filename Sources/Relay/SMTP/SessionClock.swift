// When a session was opened, when its client was last heard, and since when it waits; and when each
// of these has lasted long enough.
//
// A value that never reads a clock: the time is an argument. "Idle" is measured from the last whole
// command or piece of DATA, so a command line that trickles in byte by byte is idle too. Waits of
// ours do not count against the client: it is heard anew when it is read again.

import Reactor

/// The times of one session, and the ends that follow from them.
struct SessionClock {
    /// The session's own wait for an answer ends this much after the answer is due. The key checker
    /// and the submission keep the deadline themselves, so this end only shows that they did not.
    static let answerGraceMilliseconds = 5_000
    /// The longest handshake, unless the idle timeout is shorter.
    static let handshakeMilliseconds = 15_000
    /// When the process ends, a client that was answered this recently may still speak.
    static let lastWordMilliseconds = 1_000

    private let idleTimeoutMilliseconds: Int
    private let sessionTimeoutMilliseconds: Int
    private let apiTimeoutMilliseconds: Int

    let openedAt: MonotonicTime
    /// When the client was last heard in full (a command or a piece of DATA), or was last told
    /// that it is read again.
    private(set) var heardAt: MonotonicTime
    /// When the wait of the phase began.
    private(set) var waitingSince: MonotonicTime

    init(_ options: SessionMachine.Options, at now: MonotonicTime) {
        idleTimeoutMilliseconds = options.limits.idleTimeoutMilliseconds
        sessionTimeoutMilliseconds = options.limits.sessionTimeoutMilliseconds
        apiTimeoutMilliseconds = options.apiTimeoutMilliseconds
        openedAt = now
        heardAt = now
        waitingSince = now
    }

    /// The client was heard, or its own time begins anew.
    mutating func heard(at now: MonotonicTime) { heardAt = now }

    /// A wait begins, or began at `start`.
    mutating func wait(since start: MonotonicTime) { waitingSince = start }

    // MARK: Ends

    /// The client has been silent for too long.
    var idleEnd: MonotonicTime { heardAt.advanced(byMilliseconds: idleTimeoutMilliseconds) }

    /// The session has lasted for too long.
    var sessionEnd: MonotonicTime { openedAt.advanced(byMilliseconds: sessionTimeoutMilliseconds) }

    /// A message that is arriving at `sessionEnd` must have ended.
    var lastMessageEnd: MonotonicTime {
        sessionEnd.advanced(byMilliseconds: idleTimeoutMilliseconds)
    }

    /// In a drain, the client counts as idle.
    var lastWordEnd: MonotonicTime { heardAt.advanced(byMilliseconds: Self.lastWordMilliseconds) }

    /// A handshake has lasted for too long.
    var handshakeEnd: MonotonicTime {
        waitingSince.advanced(
            byMilliseconds: min(Self.handshakeMilliseconds, idleTimeoutMilliseconds))
    }

    /// A wait for memory has lasted for too long.
    var waitEnd: MonotonicTime { waitingSince.advanced(byMilliseconds: idleTimeoutMilliseconds) }

    /// The API's answer is due: the one deadline of a message, counted from its final dot.
    var answerDue: MonotonicTime { waitingSince.advanced(byMilliseconds: apiTimeoutMilliseconds) }

    /// The API's answer should have come long ago.
    var answerEnd: MonotonicTime {
        answerDue.advanced(byMilliseconds: Self.answerGraceMilliseconds)
    }

    /// A wait of a given length is over.
    func waitEnd(afterMilliseconds milliseconds: Int) -> MonotonicTime {
        waitingSince.advanced(byMilliseconds: milliseconds)
    }
}
