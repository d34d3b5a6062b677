// Replies of a Valkey or Redis server: the bytes of a connection in, values out.
//
// The grammar (RESP2) is hiredis's; this side only makes Swift values of what it has read. Input may be
// cut anywhere. Sizes, counts and nesting are bounded, and what goes beyond ends the connection.

import CHiredis
import Wire

/// One reply.
enum ServerReply: Equatable {
    case status
    /// The server's words: "OOM command not allowed when used memory > 'maxmemory'."
    case error(String)
    case integer(Int)
    case bytes([UInt8])
    case nothing
    case list([ServerReply])
}

/// What the server sends is no reply, or too much of one.
struct ReplyFault: Error {}

/// Reads the replies of one connection.
final class ReplyReader {
    private let reader: OpaquePointer?

    init() { reader = ch_reader_new() }

    deinit { ch_reader_free(reader) }

    /// Takes bytes; they are copied.
    func feed(_ bytes: Bytes) throws(ReplyFault) {
        guard let reader else { throw ReplyFault() }
        let status = bytes.withUnsafeBytes { ch_reader_feed(reader, $0.baseAddress, $0.count) }
        guard status == 0 else { throw ReplyFault() }
    }

    /// The next reply; nil when more bytes are needed.
    func next() throws(ReplyFault) -> ServerReply? {
        guard let reader else { throw ReplyFault() }
        switch ch_reader_next(reader) {
        case 0: return nil
        case 1:
            var count = 0
            guard let values = ch_reader_values(reader, &count) else { throw ReplyFault() }
            var rest = UnsafeBufferPointer(start: values, count: count)[...]
            return try Self.take(&rest, ch_reader_bytes(reader))
        default: throw ReplyFault()
        }
    }

    /// One value with all that belongs to it. As deep as hiredis allows.
    private static func take(
        _ rest: inout Slice<UnsafeBufferPointer<ch_value>>, _ bytes: UnsafePointer<UInt8>?
    ) throws(ReplyFault) -> ServerReply {
        guard let value = rest.popFirst() else { throw ReplyFault() }
        switch ch_kind(UInt32(value.kind)) {
        case CH_STATUS: return .status
        case CH_ERROR: return .error(String(decoding: text(value, bytes), as: UTF8.self))
        case CH_INTEGER: return .integer(Int(value.number))
        case CH_BYTES: return .bytes(Array(text(value, bytes)))
        case CH_NOTHING: return .nothing
        case CH_LIST:
            var list: [ServerReply] = []
            list.reserveCapacity(Int(value.count))
            for _ in 0..<value.count { list.append(try take(&rest, bytes)) }
            return .list(list)
        default: throw ReplyFault()
        }
    }

    private static func text(
        _ value: ch_value, _ bytes: UnsafePointer<UInt8>?
    ) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: bytes.map { $0 + Int(value.number) }, count: Int(value.count))
    }
}
