// The live sessions of one loop, linked through the sessions themselves: no allocation, O(1).

import Reactor

/// The sessions of one loop. A session enters when it is accepted and leaves when it is closed.
package struct SessionList {
    private var head: Session?
    private var lastSerial: UInt64

    package private(set) var count = 0

    /// Serials begin at the time of the start, 65,536 for each second, so that a relay that starts
    /// later does not use them again in the same journal: no loop takes that many connections per
    /// second for long. The monotonic clock tells starts within one second apart.
    /// - Parameter wallSeconds: seconds since 1970.
    init(startedAt wallSeconds: Int64, _ now: MonotonicTime) {
        lastSerial =
            UInt64(truncatingIfNeeded: wallSeconds) << 16 | now.nanoseconds >> 14 & 0xFFFF
    }

    /// Links `session` in and returns its id: unique in the process and never 0. The number of the
    /// loop (counted from 1) is in the upper sixteen bits.
    mutating func enter(_ session: Session, loopIndex: Int) -> UInt64 {
        session.link(before: head)
        head = session
        count += 1
        lastSerial &+= 1
        return UInt64(truncatingIfNeeded: loopIndex + 1) << 48 | lastSerial & 0xFFFF_FFFF_FFFF
    }

    /// Unlinks `session`, which must be in this list.
    mutating func leave(_ session: Session) {
        if head === session { head = session.nextInList }
        session.unlink()
        count -= 1
    }

    /// Calls `body` with at most `limit` sessions, the latest first. It must not end any.
    func forEach(atMost limit: Int, _ body: (Session) -> Void) {
        var next = head
        var count = 0
        while let session = next, count < limit {
            body(session)
            count += 1
            next = session.nextInList
        }
    }

    /// Tells every session to end: idle ones answer 421 now, others when their answer is out.
    /// - Parameter isGraceful: those that have sent no message yet may go on to send one.
    package func drainAll(isGraceful: Bool) {
        var next = head
        while let session = next {
            next = session.nextInList
            session.drain(isGraceful: isGraceful)
        }
    }
}
