// Reads one response of HTTP/1.1 (RFC 9112) from pieces of any size, strictly and within bounds.
//
// A machine: bytes in, one verdict out. A bounded number of interim responses (1xx) is skipped. When
// a body is longer than we keep, the body of an error is cut, because the status says enough; a
// success is refused, because only a whole one can be believed.

import Wire

/// The answer to one request, as it comes in.
struct ResponseReader {
    enum Verdict: Equatable {
        case needMore
        /// The answer is whole. `isReusable`: the connection is in order for the next request.
        case complete(isReusable: Bool)
        /// Not an answer that we can read; every further call says the same.
        case broken(String)
    }

    /// Interim responses that are skipped in front of an answer, at most.
    static let interimMax = 20
    /// Bytes of body that are kept.
    static let bodyBytesMax = 65_536
    /// Bytes of chunked framing and body together: one-byte chunks cost six bytes each.
    static let chunkedBytesMax = 524_288

    private enum Phase {
        case head
        case length(left: Int)
        case chunked(ChunkedDecoder)
        case untilClose
        case ended(Verdict)
    }

    private var phase = Phase.head
    /// The part of a head that has come, when it comes in pieces.
    private var headBuffer: [UInt8] = []
    private var interimCount = 0
    private var chunkedBytes = 0
    private var keepAlive = false
    /// How many more requests the API takes on this connection, by `Keep-Alive: max=N`.
    private var requestsLeft = Int.max

    /// 0 until the head of the answer is read.
    private(set) var status = 0
    /// Printable ASCII, at most 128 characters.
    var requestID: String { hasOldAnswer ? "" : String(decoding: requestIDBytes, as: UTF8.self) }
    private var requestIDBytes: [UInt8] = []
    private(set) var retryAfter: [UInt8] = []
    /// How long the API keeps idle connections, if the answer says so.
    private(set) var keepAliveSeconds: Int?
    private(set) var body: [UInt8] = []
    /// Whose answer an error is; of no meaning with another status.
    private var origin: AnswerOrigin?
    /// The arrays still hold what the answer before said.
    private var hasOldAnswer = false

    /// A body of up to this many bytes leaves its memory to the next one.
    static let keptBytesMax = 1_024

    /// The head of the answer has come, and the request will certainly not be sent again.
    var needsNoRequest: Bool { status != 0 && status != 408 && status != 429 }

    /// Whether a byte of the answer has come.
    var hasBegun: Bool { status != 0 || interimCount > 0 || !headBuffer.isEmpty }

    /// Takes the answer out, once `feed` said that it is complete: then it is ready for the next one,
    /// as after `reset`.
    /// - Parameter now: wall-clock seconds since 1970, for a Retry-After that is a date.
    mutating func takeResponse(now: Int64) -> APIResponse {
        let response = APIResponse(
            status: status, requestIDBytes: requestIDBytes,
            retryAfterSeconds: RetryAfter.seconds(retryAfter.span, now: now), body: body,
            origin: status >= 400 ? origin : nil)
        reset()
        return response
    }

    /// Makes it ready for the next answer on the same connection. The memory is kept, and cleared
    /// only when that answer begins: until then somebody may hold the answer before.
    mutating func reset() {
        phase = .head
        headBuffer = []
        interimCount = 0
        chunkedBytes = 0
        keepAlive = false
        status = 0
        retryAfter = []
        keepAliveSeconds = nil
        hasOldAnswer = true
    }

    private mutating func forgetOldAnswer() {
        hasOldAnswer = false
        requestIDBytes.removeAll(keepingCapacity: true)
        if body.count > Self.keptBytesMax {
            body = []
        } else {
            body.removeAll(keepingCapacity: true)
        }
    }

    /// Takes the next bytes from the connection, all of them.
    mutating func feed(_ input: Bytes) -> Verdict {
        if hasOldAnswer { forgetOldAnswer() }
        var offset = 0
        while true {
            switch phase {
            case .head:
                guard readHead(input, &offset) else { return .needMore }
            case .length(let left):
                let length = min(left, input.count - offset)
                keep(input, offset..<offset + length)
                offset += length
                if case .ended = phase { continue }
                phase = .length(left: left - length)
                guard left == length else { return .needMore }
                end()
            case .chunked(let decoder):
                guard readChunked(decoder, input, &offset) else { return .needMore }
            case .untilClose:
                keep(input, offset..<input.count)
                offset = input.count
                guard case .ended = phase else { return .needMore }
            case .ended(let verdict):
                return verdictWithLeftover(verdict, input.count - offset)
            }
        }
    }

    /// The peer has closed in order.
    mutating func peerClosed() -> Verdict {
        if hasOldAnswer { forgetOldAnswer() }
        switch phase {
        case .untilClose: end()
        case .ended: break
        case .head, .length, .chunked: fail("the connection was closed within the answer")
        }
        guard case .ended(let verdict) = phase else { return .needMore }
        return verdict
    }
}

// MARK: - The head

extension ResponseReader {
    /// Reads (the rest of) a head; false when more bytes are needed.
    private mutating func readHead(_ input: Bytes, _ offset: inout Int) -> Bool {
        let rest = input.extracting(offset..<input.count)
        if headBuffer.isEmpty {
            guard rest.count > 0 else { return false }
            return takeHead(HTTPResponseHead.parse(rest), rest, bytesBefore: 0, &offset)
        }
        guard rest.count > 0 else { return false }
        let bytesBefore = headBuffer.count
        let room = HTTPResponseHead.bytesMax - bytesBefore
        headBuffer += rest.extracting(0..<min(room, rest.count)).copied()
        let buffer = headBuffer
        return takeHead(
            HTTPResponseHead.parse(buffer.span), buffer.span, bytesBefore: bytesBefore, &offset)
    }

    /// - Parameters:
    ///   - source: what was parsed; its first `bytesBefore` bytes came before this input.
    private mutating func takeHead(
        _ result: HTTPResponseHead.Result, _ source: Bytes, bytesBefore: Int, _ offset: inout Int
    ) -> Bool {
        guard ResponseReader.looksLikeHTTP(source) else {
            fail("the answer is not HTTP/1")
            return true
        }
        switch result {
        case .needMore:
            if bytesBefore == 0 { headBuffer = source.copied() }
            offset += source.count - bytesBefore
            return false
        case .invalid(let reason):
            fail(reason)
        case .head(let head):
            offset += head.headBytes - bytesBefore
            headBuffer.removeAll(keepingCapacity: false)
            began(head, source)
        }
        return true
    }

    private mutating func began(_ head: HTTPResponseHead, _ source: Bytes) {
        guard head.status >= 200 else { return skipInterim(head) }
        status = head.status
        requestsLeft = min(requestsLeft - 1, head.keepAliveRequests ?? .max)
        keepAlive = head.keepAlive && requestsLeft > 0
        keepAliveSeconds = head.keepAliveSeconds
        if let range = head.requestID {
            AnswerText.keepRequestID(source.extracting(range), in: &requestIDBytes)
        }
        if let range = head.retryAfter { retryAfter = source.extracting(range).copied() }
        if status >= 400 {
            let fields = HTTPResponseHead.origin(in: source)
            origin = AnswerOrigin(source, contentType: fields.contentType, server: fields.server)
        }
        switch head.framing {
        case .none: end()
        case .length(0): end()
        case .length(let bytes): phase = .length(left: bytes)
        case .chunked: phase = .chunked(ChunkedDecoder())
        case .untilClose: phase = .untilClose
        }
    }

    private mutating func skipInterim(_ head: HTTPResponseHead) {
        interimCount += 1
        if head.status == 101 { return fail("a protocol switch that nobody asked for") }
        if interimCount > ResponseReader.interimMax { fail("too many interim responses") }
    }

    private static func looksLikeHTTP(_ input: Bytes) -> Bool {
        let start: StaticString = "HTTP/1."
        return start.withUTF8Buffer { start in
            (0..<min(start.count, input.count)).allSatisfy { input[$0] == start[$0] }
        }
    }
}

// MARK: - The body and the end

extension ResponseReader {
    /// Takes chunked framing off; false when more bytes are needed.
    private mutating func readChunked(
        _ state: ChunkedDecoder, _ input: Bytes, _ offset: inout Int
    ) -> Bool {
        var decoder = state
        let before = offset
        let verdict = decoder.next(input, &offset)
        phase = .chunked(decoder)
        chunkedBytes += offset - before
        switch verdict {
        case .content(let range): keep(input, range)
        case .needInput:
            offset = input.count
            if chunkedBytes <= ResponseReader.chunkedBytesMax { return false }
            fail("the answer is too large")
        case .end(let next):
            offset = next
            end()
        case .invalid(let reason): fail(reason)
        }
        return true
    }

    /// Keeps a piece of the body; ends the answer when there is no more room.
    private mutating func keep(_ input: Bytes, _ range: Range<Int>) {
        let room = ResponseReader.bodyBytesMax - body.count
        let piece = input.extracting(range.lowerBound..<range.lowerBound + min(range.count, room))
        piece.withUnsafeBufferPointer { body.append(contentsOf: $0) }
        guard range.count > room else { return }
        if status < 300 {
            fail("the answer is too large")
        } else {
            phase = .ended(.complete(isReusable: false))
        }
    }

    private mutating func end() { phase = .ended(.complete(isReusable: keepAlive)) }

    private mutating func fail(_ reason: String) { phase = .ended(.broken(reason)) }

    /// Bytes after the answer belong to nothing: such a connection is not used again.
    private mutating func verdictWithLeftover(_ verdict: Verdict, _ leftover: Int) -> Verdict {
        if leftover > 0, case .complete(isReusable: true) = verdict {
            phase = .ended(.complete(isReusable: false))
            return .complete(isReusable: false)
        }
        return verdict
    }
}
