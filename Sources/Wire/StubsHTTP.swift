// STUB of the contract (author: wire-protocols).

/// How a message body is delimited (RFC 9112 6.3).
package enum HTTPBodyFraming: Equatable {
    case none
    case length(Int)
    case chunked
    /// Until the connection closes (responses only).
    case untilClose
}

/// A response head, taken apart. Ranges are into the input that was parsed.
package struct HTTPResponseHead {
    package var status: Int
    package var framing: HTTPBodyFraming
    /// Whether the connection may be used again (HTTP/1.1 without `Connection: close`).
    package var keepAlive: Bool
    package var requestID: Range<Int>?
    /// The raw value, seconds or a date.
    package var retryAfter: Range<Int>?
    /// Bytes up to and including the blank line.
    package var headBytes: Int

    package enum Result {
        case needMore
        case head(HTTPResponseHead)
        case invalid(String)
    }
    /// Strict: both framings, differing Content-Lengths, obs-fold, bad names are invalid.
    /// `input` starts at the status line; call again with more behind it.
    package static func parse(_ input: Bytes) -> Result { fatalError() }
    /// Heads over this many bytes are refused.
    package static let bytesMax = 16_384
}

/// A request head, for the sandbox and the admin endpoint.
package struct HTTPRequestHead {
    package var method: Range<Int>
    /// Path and query, still percent-encoded.
    package var target: Range<Int>
    package var framing: HTTPBodyFraming
    package var keepAlive: Bool
    package var expectsContinue: Bool
    package var authorization: Range<Int>?
    package var contentType: Range<Int>?
    package var host: Range<Int>?
    package var headBytes: Int

    package enum Result {
        case needMore
        case head(HTTPRequestHead)
        /// The status to answer with (400, 413, 431, 501, 505) and why.
        case invalid(status: Int, String)
    }
    package static func parse(_ input: Bytes) -> Result { fatalError() }
}

/// Takes chunked framing (RFC 9112 7.1) off; trailers are read and dropped.
package struct ChunkedDecoder {
    package enum Verdict: Equatable {
        case content(Range<Int>)
        case needInput
        case end(next: Int)
        case invalid(String)
    }
    package init() {}
    package mutating func next(_ input: Bytes, _ offset: inout Int) -> Verdict { fatalError() }
}

package enum ChunkedEncoder {
    /// The most bytes that `writeHead` needs in front of a chunk ("3ff8\r\n"), for sizes < 65,536.
    package static let headBytes = 6
    /// Writes "XXXX\r\n" (hex, four digits) at `memory`.
    package static func writeHead(size: Int, to memory: UnsafeMutablePointer<UInt8>) { fatalError() }
}
