// The one handshake message that may come after a handshake with us: KeyUpdate (RFC 8446 section
// 4.6.3), in one record or cut over several (section 5.1).
//
// It ends its record, because the next record has the next key. Nothing else may come between its
// parts. It is five bytes; anything else is refused at the first byte that does not fit.

/// Puts a KeyUpdate together.
struct TLSKeyUpdateReader {
    /// What a record has brought.
    enum Verdict: Equatable {
        /// A part of the message.
        case part
        /// Its end; whether the peer wants one in return.
        case whole(asksForOne: Bool)
    }

    private static let messageBytes = 5
    private var count = 0

    /// Some of the message has come, and its end has not.
    var isCut: Bool { count > 0 }

    /// Takes the content of a handshake record; nil when it is not allowed.
    mutating func take(_ content: UnsafeRawBufferPointer) -> Verdict? {
        guard let last = content.last, count + content.count <= Self.messageBytes else {
            return nil
        }
        for byte in content {
            guard Self.fits(byte, at: count) else { return nil }
            count += 1
        }
        guard count == Self.messageBytes else { return .part }
        count = 0
        return .whole(asksForOne: last == 1)
    }

    /// Type 24, three bytes of length, and whether it asks for one in return.
    private static func fits(_ byte: UInt8, at place: Int) -> Bool {
        switch place {
        case 0: byte == 24
        case 1, 2: byte == 0
        case 3: byte == 1
        default: byte <= 1
        }
    }
}
