// Reads one answer of HTTP/2: what `ResponseReader` does for HTTP/1.1, with the framing done by
// `HTTP2Session` (RFC 9113 section 8.1). The same bounds hold. When a body is longer than we keep, the
// body of an error is cut, and a success is refused, because only a whole one can be believed.

import HTTP2
import Wire

/// The answer on one stream, as it comes in.
struct HTTP2Answer {
    enum Verdict: Equatable {
        case needMore
        /// The body of an error is longer than what is kept: nothing more of it is of interest.
        case isEnough
        /// Not an answer that can be used.
        case broken(String)

    }

    /// 0 until the head of the answer has come.
    private(set) var status = 0
    private var requestIDBytes: [UInt8] = []
    private(set) var retryAfter: [UInt8] = []
    private var body: [UInt8] = []
    private var origin: AnswerOrigin?
    private var interimCount = 0

    /// Printable ASCII, at most 128 characters.
    var requestID: String {
        status == 0 ? "" : String(decoding: requestIDBytes, as: UTF8.self)
    }

    /// The head of the answer has come, and the request will certainly not be sent again.
    var needsNoRequest: Bool { status != 0 && status != 429 }

    /// Whether a byte of the answer has come.
    var hasBegun: Bool { status != 0 || interimCount > 0 }

    /// Makes it ready for another answer. The memory is kept, and cleared only when that answer begins:
    /// until then somebody may hold the answer before.
    mutating func reset() {
        status = 0
        retryAfter = []
        origin = nil
        interimCount = 0
    }

    /// Takes a head of the stream.
    /// - Parameter session: whose fields it has.
    mutating func take(_ head: HTTP2Head, of session: HTTP2Session) -> Verdict {
        switch head.kind {
        case .answer: begin(head, session)
        case .interim:
            interimCount += 1
            if interimCount > ResponseReader.interimMax {
                return .broken("too many interim responses")
            }
        case .trailers, .request: break
        }
        return .needMore
    }

    private mutating func begin(_ head: HTTP2Head, _ session: HTTP2Session) {
        let source = session.headBytes
        status = head.status
        requestIDBytes.removeAll(keepingCapacity: true)
        if let range = session.find("x-request-id", in: head) {
            AnswerText.keepRequestID(source.extracting(range), in: &requestIDBytes)
        }
        if let range = session.find("retry-after", in: head) {
            retryAfter = source.extracting(range).copied()
        }
        if body.count > ResponseReader.keptBytesMax {
            body = []
        } else {
            body.removeAll(keepingCapacity: true)
        }
        guard status >= 400 else { return }
        origin = AnswerOrigin(
            source, contentType: session.find("content-type", in: head),
            server: session.find("server", in: head))
    }

    /// Takes the next bytes of the body.
    mutating func keep(_ bytes: Bytes) -> Verdict {
        let room = ResponseReader.bodyBytesMax - body.count
        body.append(bytes: bytes.extracting(0..<min(bytes.count, room)))
        guard bytes.count > room else { return .needMore }
        return status < 300 ? .broken("the answer is too large") : .isEnough
    }

    /// Takes the answer out, once it is complete; then it is as after `reset`.
    /// - Parameter now: wall-clock seconds since 1970, for a Retry-After that is a date.
    mutating func takeResponse(now: Int64) -> APIResponse {
        let response = APIResponse(
            status: status, requestIDBytes: requestIDBytes,
            retryAfterSeconds: RetryAfter.seconds(retryAfter.span, now: now), body: body,
            origin: origin)
        reset()
        return response
    }
}
