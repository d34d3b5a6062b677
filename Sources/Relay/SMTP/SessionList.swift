// The live sessions of one loop, linked through the sessions themselves: no allocation, O(1).

/// Who is here. A session enters when it is accepted and leaves when it is closed.
struct SessionList {
    private var head: Session?
    private var lastSerial: UInt64 = 0

    private(set) var count = 0

    /// Links `session` in and returns its id: unique in the process, never 0, the number of the loop
    /// (counted from 1) in the upper sixteen bits.
    mutating func enter(_ session: Session, loopIndex: Int) -> UInt64 {
        session.nextSession = head
        head?.previousSession = session
        head = session
        count += 1
        lastSerial += 1
        return UInt64(truncatingIfNeeded: loopIndex + 1) << 48 | lastSerial
    }

    /// Unlinks `session`, which must be in this list.
    mutating func leave(_ session: Session) {
        if let previous = session.previousSession {
            previous.nextSession = session.nextSession
        } else {
            assert(head === session)
            head = session.nextSession
        }
        session.nextSession?.previousSession = session.previousSession
        session.nextSession = nil
        session.previousSession = nil
        count -= 1
    }

    /// Calls `body` with at most `limit` sessions, the latest first. It must not end any.
    func forEach(atMost limit: Int, _ body: (Session) -> Void) {
        var next = head
        var count = 0
        while let session = next, count < limit {
            body(session)
            count += 1
            next = session.nextSession
        }
    }

    /// Tells every session to end: idle ones get 421 now, others when their answer is out.
    /// - Parameter isGraceful: those that have sent no message yet may go on to send one.
    func drainAll(isGraceful: Bool) {
        var next = head
        while let session = next {
            next = session.nextSession
            session.drain(isGraceful: isGraceful)
        }
    }
}
