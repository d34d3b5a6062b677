// A complete answer of the API, and what it means for a message.
//
// The status decides; the body only adds words (the API's message, the kind of limit) and the
// message id. All three error shapes of the API are read. A success whose body is not a JSON object
// is not the API's answer (a captive portal says 200 too), so it does not become a 250.

import Wire

/// A complete answer, read strictly.
package struct APIResponse {
    package var status: Int
    /// The API's X-Request-ID: printable ASCII, at most 128 characters; empty when there is none.
    package var requestIDBytes: [UInt8]
    /// What the Retry-After header says; nil when there is none.
    var retryAfterSeconds: Int?
    /// At most 64 KiB.
    var body: [UInt8]

    package var requestID: String { String(decoding: requestIDBytes, as: UTF8.self) }

    /// Reads the body (three error shapes, message_id): what the answer means for the message.
    package func outcome() -> Outcome {
        var memory: [UInt8] = []
        return outcome(reusing: &memory)
    }

    /// The same without an allocation, when the message id fits into `memory` and nobody else holds
    /// that.
    /// - Parameter memory: where the message id is put.
    package func outcome(reusing memory: inout [UInt8]) -> Outcome {
        switch status {
        case 200...299:
            guard let answer = APIAnswer(body.span, messageIDMemory: &memory) else {
                return .unavailable(isUncertain: true)
            }
            memory = answer.messageID
            return .accepted(messageID: answer.messageID)
        case 400: return .invalidRequest(message: errorText)
        case 401: return .keyRefused
        case 403: return .forbidden(message: errorText)
        case 413: return .tooLarge
        case 422: return .allSuppressed
        case 429: return .rateLimited(rateLimit)
        // A server that fails may have acted before it did; a redirect or another refusal has not.
        default: return .unavailable(isUncertain: status >= 500)
        }
    }

    /// What a 429 says. The figure of the body is preferred to that of the header.
    private var rateLimit: RateLimit {
        let answer = APIAnswer(body.span)
        return RateLimit(
            kind: answer?.limitKind ?? "",
            retryAfterSeconds: answer?.retryAfterSeconds ?? retryAfterSeconds)
    }

    private var errorText: [UInt8] { APIAnswer(body.span)?.errorText ?? [] }
}

/// The fields of an answer's body that the relay reads; all others are skipped.
struct APIAnswer {
    private(set) var messageID: [UInt8] = []
    /// "message" at the top or inside "error".
    private var message: [UInt8] = []
    /// "error" as a string, or "code" inside it; used when there is no message.
    private var code: [UInt8] = []
    /// Printable ASCII, at most 32 characters.
    private(set) var limitKind = ""
    private(set) var retryAfterSeconds: Int?

    /// The API's own words: the message, else the code; empty when it sent neither.
    var errorText: [UInt8] { message.isEmpty ? code : message }

    /// nil when `body` is not one JSON object and nothing else.
    init?(_ body: Bytes) {
        var memory: [UInt8] = []
        self.init(body, messageIDMemory: &memory)
    }

    /// - Parameter memory: taken for the message id; empty afterwards.
    init?(_ body: Bytes, messageIDMemory memory: inout [UInt8]) {
        swap(&messageID, &memory)
        messageID.removeAll(keepingCapacity: true)
        var reader = JSONReader()
        guard reader.next(body) == .objectStart else { return nil }
        guard readFields(body, &reader, isError: false) else { return nil }
        guard reader.next(body) == .end else { return nil }
    }

    /// Reads up to the end of the object whose start was read; false when it is not JSON.
    private mutating func readFields(
        _ body: Bytes, _ reader: inout JSONReader, isError: Bool
    ) -> Bool {
        while true {
            switch reader.next(body) {
            case .key(let range):
                let name = JSONReader.unescaped(body, range)
                guard readField(name, body, &reader, isError: isError) else { return false }
            case .objectEnd: return true
            default: return false
            }
        }
    }

    private mutating func readField(
        _ name: String, _ body: Bytes, _ reader: inout JSONReader, isError: Bool
    ) -> Bool {
        switch name {
        case "error" where !isError: return readError(body, &reader)
        case "message": return readValue(body, &reader) { $0.message = $1 }
        case "code" where isError: return readValue(body, &reader) { $0.code = $1 }
        case "message_id" where !isError: return readMessageID(body, &reader)
        case "limit_type":
            return readValue(body, &reader) { $0.limitKind = APIAnswer.printable($1, max: 32) }
        case "retry_after_seconds":
            return readValue(body, &reader) { $0.retryAfterSeconds = APIAnswer.seconds($1) }
        default: return reader.skipValue(body) != nil
        }
    }

    /// "error" is a string (a text or a code) or an object with code and message.
    private mutating func readError(_ body: Bytes, _ reader: inout JSONReader) -> Bool {
        var ahead = reader
        guard ahead.next(body) == .objectStart else {
            return readValue(body, &reader) { $0.code = $1 }
        }
        reader = ahead
        return readFields(body, &reader, isError: true)
    }

    /// The last message id counts, as with every other field.
    private mutating func readMessageID(_ body: Bytes, _ reader: inout JSONReader) -> Bool {
        var ahead = reader
        guard case .string(let range) = ahead.next(body) else {
            return readValue(body, &reader) { $0.messageID = $1 }
        }
        JSONReader.unescape(body, range, into: &messageID)
        reader = ahead
        return true
    }

    /// Hands a string or a number to `set`; skips any other value.
    private mutating func readValue(
        _ body: Bytes, _ reader: inout JSONReader, _ set: (inout APIAnswer, [UInt8]) -> Void
    ) -> Bool {
        var ahead = reader
        switch ahead.next(body) {
        case .string(let range): set(&self, JSONReader.unescapedBytes(body, range))
        case .number(let range): set(&self, body.extracting(range).copied())
        default: return reader.skipValue(body) != nil
        }
        reader = ahead
        return true
    }

    /// Whole seconds, rounded up, of a JSON number or a string that holds one; nil when negative,
    /// absurd, or not a number.
    private static func seconds(_ text: [UInt8]) -> Int? {
        guard let value = Double(String(decoding: text, as: UTF8.self)), value >= 0,
            value < 1e9
        else { return nil }
        return Int(value.rounded(.up))
    }

    /// The printable ASCII characters of `text`, at most `max` of them.
    static func printable(_ text: [UInt8], max: Int) -> String {
        if text.count <= max, text.allSatisfy({ (0x20...0x7E).contains($0) }) {
            return String(decoding: text, as: UTF8.self)
        }
        return String(
            decoding: text.lazy.filter { (0x20...0x7E).contains($0) }.prefix(max), as: UTF8.self)
    }
}

extension APIResponse {
    /// The API's own words for a refusal, as printable ASCII and not cut; empty when it has none.
    /// They may repeat what it was sent.
    package var words: String {
        APIAnswer.printable(APIAnswer(body.span)?.errorText ?? [], max: .max)
    }
}
