// Counts the frames that a peer sends, and finds floods: frames that cost us work and bring nothing
// (RFC 9113 section 10.5; CVE-2019-9511 to 9518, CVE-2023-44487, CVE-2024-28182).
//
// It looks at the nine bytes in front of each frame before nghttp2 sees them, so that it also counts
// what nghttp2 ignores, and does not depend on its version. A machine: however the bytes are cut, it
// says the same, and it stops at the same frame. It trusts no length: nghttp2 refuses a frame that
// is too long.

import Wire

/// The frames of one direction of a connection.
struct FrameMeter {
    /// Frames of one header block after its first.
    static let continuationsMax = 8
    /// Bytes of one header block, compressed.
    static let blockBytesMax = 32_768

    /// A frame that is too much.
    struct Fault: Equatable {
        let flood: HTTP2Flood
        /// Where in the input its head begins; 0 when that was in an earlier input.
        let offset: Int
    }

    private enum Kind {
        static let data: UInt8 = 0
        static let headers: UInt8 = 1
        static let reset: UInt8 = 3
        static let settings: UInt8 = 4
        static let ping: UInt8 = 6
        static let windowUpdate: UInt8 = 8
        static let continuation: UInt8 = 9
    }
    private static let endStream: UInt8 = 1
    private static let padded: UInt8 = 8

    /// Bytes until the next frame's head: of the client's preface, then of payloads.
    private var skip: Int
    /// The part of a head that has come: its first five bytes, and how many in all.
    private var head: UInt64 = 0
    private var headCount = 0

    private var blockBytes = 0
    private var continuations = 0

    private var chores = Allowance(most: 1_000, perSecond: 100)
    private var resets = Allowance(most: 1_000, perSecond: 33)
    private var empties = Allowance(most: 100, perSecond: 10)
    private var updates = Allowance(most: 2_000, perSecond: 200, withEarned: 32_000)
    private var interims = Allowance(most: 1_000, perSecond: 100)

    /// - Parameter readsPreface: the bytes begin with a client's preface (RFC 9113 section 3.4).
    init(readsPreface: Bool) { skip = readsPreface ? 24 : 0 }

    /// Looks at the next bytes. Not to be called again after a fault.
    mutating func take(_ bytes: Bytes, now: UInt64) -> Fault? {
        var offset = 0
        while offset < bytes.count {
            if skip > 0 {
                let count = min(skip, bytes.count - offset)
                skip -= count
                offset += count
                continue
            }
            guard readHead(bytes, &offset) else { return nil }
            headCount = 0
            skip = Int(head >> 16 & 0xFF_FFFF)
            let flood = weigh(
                kind: UInt8(truncatingIfNeeded: head >> 8), flags: UInt8(truncatingIfNeeded: head),
                length: skip, now: now)
            head = 0
            if let flood {
                return Fault(flood: flood, offset: max(0, offset - HTTP2DataFrame.headBytes))
            }
        }
        return nil
    }

    /// Reads on in the head of a frame: its first five bytes.
    /// - Returns: whether it is complete.
    private mutating func readHead(_ bytes: Bytes, _ offset: inout Int) -> Bool {
        if headCount == 0, bytes.count - offset >= HTTP2DataFrame.headBytes {
            for index in 0..<5 { head = head << 8 | UInt64(bytes[offset + index]) }
            offset += HTTP2DataFrame.headBytes
            return true
        }
        while offset < bytes.count {
            if headCount < 5 { head = head << 8 | UInt64(bytes[offset]) }
            headCount += 1
            offset += 1
            if headCount == HTTP2DataFrame.headBytes { return true }
        }
        return false
    }

    private mutating func weigh(
        kind: UInt8, flags: UInt8, length: Int, now: UInt64
    ) -> HTTP2Flood? {
        switch kind {
        case Kind.data:
            // A padded frame of this length may be padding alone.
            let isEmpty = length == 0 || flags & Self.padded != 0 && length <= 256
            guard isEmpty, flags & Self.endStream == 0 else { return nil }
            return empties.take(now: now) ? nil : .emptyData
        case Kind.headers:
            continuations = 0
            blockBytes = length
            return blockBytes > Self.blockBytesMax ? .headerList : nil
        case Kind.continuation:
            continuations += 1
            blockBytes += length
            if continuations > Self.continuationsMax { return .continuation }
            return blockBytes > Self.blockBytesMax ? .headerList : nil
        case Kind.reset: return resets.take(now: now) ? nil : .reset
        case Kind.settings: return chores.take(now: now) ? nil : .settings
        case Kind.ping: return chores.take(now: now) ? nil : .ping
        case Kind.windowUpdate: return updates.take(now: now) ? nil : .windowUpdate
        default: return chores.take(now: now) ? nil : .idle
        }
    }

    /// An answer with status 1xx, which asks for nothing.
    /// - Returns: whether it is too much.
    mutating func countInterim(now: UInt64) -> HTTP2Flood? { interims.take(now: now) ? nil : .idle }

    /// A frame that made us reset a stream, or was refused in another way.
    /// - Returns: whether it is too much.
    mutating func countInvalid(now: UInt64) -> HTTP2Flood? {
        resets.take(now: now) ? nil : .invalid
    }

    /// A stream that the peer may reset: a client has opened one, or a server has completed one. The
    /// peer may answer it with interim answers, as many as `ResponseReader` takes, and send a few
    /// frames with it that bring nothing: PING, ALTSVC, those it reserves (RFC 8701), padding, a
    /// DATA frame without content.
    mutating func earnStream() {
        resets.earn(1)
        interims.earn(20)
        chores.earn(4)
        empties.earn(8)
    }

    /// The peer may answer a DATA frame by opening windows. Servers do so after each read of their
    /// application, for the stream and for the connection: two frames for each 4,096 bytes are
    /// usual with Go before 1.20, and 512 bytes are the smallest reads that were seen. They may also
    /// measure the line with a PING.
    /// - Parameter count: bytes of its content.
    mutating func earnUpdates(_ count: Int) {
        updates.earn(4 + count / 128)
        chores.earn(1)
    }
}
