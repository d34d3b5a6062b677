// The handshake messages that may come after a handshake: KeyUpdate, and tickets of a server (RFC 8446
// section 4.6), each in one record or cut over several (section 5.1).
//
// It finds where messages begin and end and keeps no byte of them. A KeyUpdate ends its record, because
// the next record has the next key. Nothing else may come between the parts of a message. What is wrong
// gets the alert of section 6.2.

/// Frames the messages after a handshake. A machine: whole, byte by byte or cut anywhere, the same
/// messages give the same verdicts.
struct TLSMessageReader {
    /// What a record has brought after its tickets.
    enum Verdict: Equatable {
        /// Nothing, or a part of a message.
        case part
        /// The end of a KeyUpdate; whether the peer wants one in return.
        case update(asksForOne: Bool)
        /// The peer broke the protocol; the alert says how.
        case fault(alert: UInt8, reason: String)
    }

    private static let newSessionTicket: UInt8 = 4
    private static let keyUpdate: UInt8 = 24
    private static let headerBytes = 4

    /// A client's: a server may send tickets.
    private let takesTickets: Bool
    private var type: UInt8 = 0
    /// Bytes of the message's header so far; its length, or as much of it as is known; bytes of its
    /// content that have not come.
    private var headerCount = 0
    private var left = 0

    init(takesTickets: Bool) { self.takesTickets = takesTickets }

    /// Some of a message has come, and its end has not.
    var isCut: Bool { headerCount > 0 }

    /// Takes the content of one handshake record. Not to be called again after a fault.
    /// - Returns: how many bytes the record begins with that belong to tickets, and what follows them.
    mutating func take(_ content: UnsafeRawBufferPointer) -> (ticketBytes: Int, Verdict) {
        guard !content.isEmpty else {
            return (0, Self.unexpected("an empty handshake message"))
        }
        var offset = 0
        var ticketBytes = 0
        while offset < content.count {
            if headerCount < Self.headerBytes {
                if let fault = takeHeader(content[offset]) { return (ticketBytes, fault) }
                offset += 1
            } else if type == Self.keyUpdate {
                headerCount = 0
                return (
                    ticketBytes, Self.update(content[offset], isLast: offset + 1 == content.count)
                )
            } else {
                let count = min(left, content.count - offset)
                left -= count
                offset += count
            }
            if type == Self.newSessionTicket {
                ticketBytes = offset
                if headerCount == Self.headerBytes, left == 0 { headerCount = 0 }
            }
        }
        return (ticketBytes, .part)
    }

    /// One byte of a message's header: the type, then three of the length.
    private mutating func takeHeader(_ byte: UInt8) -> Verdict? {
        headerCount += 1
        guard headerCount > 1 else {
            type = byte
            left = 0
            guard byte == Self.keyUpdate || takesTickets && byte == Self.newSessionTicket else {
                return Self.unexpected("a handshake message of type \(byte) after the handshake")
            }
            return nil
        }
        left = left << 8 | Int(byte)
        guard type == Self.keyUpdate, headerCount == Self.headerBytes, left != 1 else { return nil }
        return .fault(alert: TLSAlert.decodeError, reason: "a key update of \(left) bytes")
    }

    private static func update(_ value: UInt8, isLast: Bool) -> Verdict {
        guard value <= 1 else {
            return .fault(
                alert: TLSAlert.illegalParameter, reason: "a key update with the value \(value)")
        }
        guard isLast else { return unexpected("a key update that does not end its record") }
        return .update(asksForOne: value == 1)
    }

    private static func unexpected(_ reason: String) -> Verdict {
        .fault(alert: TLSAlert.unexpectedMessage, reason: reason)
    }
}
