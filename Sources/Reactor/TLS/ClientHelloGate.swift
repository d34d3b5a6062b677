// The door in front of a server's handshake: it counts what a stranger has sent, and says when the
// ClientHello is whole (RFC 8446 sections 4 and 5.1).
//
// OpenSSL's connection costs some ten kilobytes, and it makes room for a message as soon as four
// bytes have said how long it will be. So it is made when the whole ClientHello is there: a client
// that says nothing, or says it byte by byte, costs the bytes that it has sent. A value without
// memory of its own; it looks at each byte once.

/// Finds the end of a ClientHello in the bytes of a connection, however they are cut.
struct ClientHelloGate {
    /// The longest ClientHello: what one record can hold.
    static let helloBytesMax = Stream.recordBytesMax
    /// Most bytes until it is whole: more is many small records.
    static let inputBytesMax = helloBytesMax + headerBytes
    /// Most bytes that a client may send until the handshake is done: two of the longest records. What
    /// is too long in them, OpenSSL refuses with an alert.
    static let handshakeBytesMax = 2 * (headerBytes + Stream.recordBytesMax + 256)

    /// What the bytes so far are.
    enum Verdict: Equatable {
        /// The beginning of a ClientHello.
        case incomplete
        /// A whole ClientHello, or something that OpenSSL refuses at once.
        case whole
        /// A ClientHello that is too long, in one line.
        case refused(String)
    }

    private static let headerBytes = 5
    private static let messageHeaderBytes = 4

    private var byteCount = 0
    private var header: (UInt8, UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0, 0)
    private var headerCount = 0
    private var recordLeft = 0
    /// Bytes of the message so far, and its length when that is known.
    private var messageCount = 0
    private var messageLength = 0

    /// Looks at the next bytes. Not to be called again after another verdict than `incomplete`.
    mutating func take(_ bytes: UnsafeRawBufferPointer) -> Verdict {
        var offset = 0
        while offset < bytes.count {
            if headerCount < Self.headerBytes {
                withUnsafeMutableBytes(of: &header) { $0[headerCount] = bytes[offset] }
                headerCount += 1
                offset += 1
                guard fitsHeader() else { return .whole }
            } else if messageCount < Self.messageHeaderBytes {
                guard fits(bytes[offset]) else { return .whole }
                offset += 1
                advance(by: 1)
            } else {
                let wanted = Self.messageHeaderBytes + messageLength - messageCount
                let count = min(wanted, recordLeft, bytes.count - offset)
                offset += count
                advance(by: count)
            }
            if messageCount >= Self.messageHeaderBytes {
                let end = Self.messageHeaderBytes + messageLength
                guard end <= Self.helloBytesMax else {
                    return .refused("a ClientHello of \(end) bytes")
                }
                if messageCount == end { return .whole }
            }
        }
        byteCount += bytes.count
        guard byteCount < Self.inputBytesMax else {
            return .refused("a ClientHello of more than \(Self.inputBytesMax) bytes")
        }
        return .incomplete
    }

    /// Whether the header so far is that of a record that may hold a ClientHello.
    private mutating func fitsHeader() -> Bool {
        switch headerCount {
        case 1: return header.0 == TLSContent.handshake
        case 2: return header.1 == 3
        case Self.headerBytes:
            recordLeft = Int(header.3) << 8 | Int(header.4)
            return recordLeft > 0 && recordLeft <= Stream.recordBytesMax
        default: return true
        }
    }

    /// The message's type, which is 1, and its length.
    private mutating func fits(_ byte: UInt8) -> Bool {
        if messageCount == 0 { return byte == 1 }
        messageLength = messageLength << 8 | Int(byte)
        return true
    }

    private mutating func advance(by count: Int) {
        messageCount += count
        recordLeft -= count
        if recordLeft == 0 { headerCount = 0 }
    }
}
