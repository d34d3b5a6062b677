// A complete answer of the API, and what it means for a message.
//
// The status decides; the body only adds words (the API's message, the kind of limit) and the
// message id. All three error shapes of the API are read. A success whose body is not a JSON object
// is not the API's answer (a captive portal says 200 too), so it does not become a 250. A 4xx
// without the API's JSON is that of a proxy or a firewall in front of the API: it says nothing about
// key, message or limit, so no mail server may conclude anything from it.

import Wire

/// Who says that an error is its own: for the log, when something in front of the API answers.
package final class AnswerOrigin: Sendable {
    /// Longer values are cut.
    static let charactersMax = 128
    /// The values of Content-Type and Server: printable ASCII, empty when the answer has none.
    package let contentType: String
    package let server: String

    init(contentType: String, server: String) {
        self.contentType = contentType
        self.server = server
    }

    /// - Parameter source: what the values are ranges of.
    convenience init(_ source: Bytes, contentType: Range<Int>?, server: Range<Int>?) {
        func text(_ range: Range<Int>?) -> String {
            let bytes = range.map { source.extracting($0).copied() } ?? []
            return APIAnswer.printable(bytes, max: Self.charactersMax)
        }
        self.init(contentType: text(contentType), server: text(server))
    }
}

/// What is kept of the fields of an answer's head.
enum AnswerText {
    /// The printable ASCII characters of an X-Request-ID, 128 at most, in the place of what `bytes`
    /// holds.
    static func keepRequestID(_ text: Bytes, in bytes: inout [UInt8]) {
        bytes.removeAll(keepingCapacity: true)
        if text.count <= 128, (0..<text.count).allSatisfy({ (0x20...0x7E).contains(text[$0]) }) {
            return bytes.append(bytes: text)
        }
        for index in 0..<text.count where (0x20...0x7E).contains(text[index]) {
            guard bytes.count < 128 else { return }
            bytes.append(text[index])
        }
    }
}

/// A complete answer, read strictly.
package struct APIResponse {
    package var status: Int
    /// The API's X-Request-ID: printable ASCII, at most 128 characters; empty when there is none.
    package var requestIDBytes: [UInt8]
    /// What the Retry-After header says; nil when there is none.
    var retryAfterSeconds: Int?
    /// At most 64 KiB.
    var body: [UInt8]
    /// Of an error.
    package private(set) var origin: AnswerOrigin?

    init(
        status: Int, requestIDBytes: [UInt8], retryAfterSeconds: Int?, body: [UInt8],
        origin: AnswerOrigin? = nil
    ) {
        self.status = status
        self.requestIDBytes = requestIDBytes
        self.retryAfterSeconds = retryAfterSeconds
        self.body = body
        self.origin = origin
    }

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
        // The server gave up in the middle of the request; it may have acted before.
        case 408: return .unavailable(isUncertain: true)
        // Also of something in front of the API: another try would not make the message smaller.
        case 413: return .tooLarge
        case 400...499: return refusal
        // A server that fails may have acted before it did; a redirect has not.
        default: return .unavailable(isUncertain: status >= 500)
        }
    }

    /// A 4xx that is not the API's own: its body is not an object with `error`. A 408 and a 413 mean
    /// the same in both cases.
    package var isForeign: Bool {
        guard (400..<500).contains(status), status != 408, status != 413 else { return false }
        return apiError == nil
    }

    /// What a 4xx means whose words count only if they are the API's own.
    private var refusal: Outcome {
        guard let error = apiError else { return .unavailable(isUncertain: false) }
        switch status {
        case 401: return .keyRefused
        case 402: return .planLimit(message: error.errorText)
        case 403:
            return error.namesPlanLimit
                ? .planLimit(message: error.errorText) : .forbidden(message: error.errorText)
        case 422: return .allSuppressed
        case 429:
            // The figure of the body is preferred to that of the header. 0, or a date that is over,
            // means soon, and is often less than a second rounded down.
            let seconds = error.retryAfterSeconds ?? retryAfterSeconds
            return .rateLimited(
                RateLimit(
                    kind: error.limitKind, retryAfterSeconds: seconds.map { max(1, $0) },
                    isOfDomain: error.hasWarmingPhase))
        default: return .invalidRequest(message: error.errorText)
        }
    }

    /// The body, when it is an error of the API.
    private var apiError: APIAnswer? {
        guard let answer = APIAnswer(body.span), answer.hasError else { return nil }
        return answer
    }
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
    /// There is an `error` that is a text or an object: what the API's errors have in common.
    private(set) var hasError = false
    /// The limit is that of a sending domain which is warming up.
    private(set) var hasWarmingPhase = false

    /// Code or message say that a plan, and not a permission, is at its end.
    var namesPlanLimit: Bool { Self.namesPlanLimit(code) || Self.namesPlanLimit(message) }

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
        case "message_id" where !isError: return readMessageID(body, &reader)
        case "error" where !isError: return readError(body, &reader)
        case "message": return readValue(body, &reader) { $0.message = $1 }
        case "code" where isError: return readValue(body, &reader) { $0.code = $1 }
        case "limit_type":
            return readValue(body, &reader) { $0.limitKind = APIAnswer.printable($1, max: 32) }
        case "warming_phase":
            return readValue(body, &reader) { $0.hasWarmingPhase = !$1.isEmpty }
        case "retry_after_seconds":
            return readValue(body, &reader) { $0.retryAfterSeconds = APIAnswer.seconds($1) }
        default: return reader.skipValue(body) != nil
        }
    }

    /// "error" is a string (a text or a code) or an object with code and message.
    private mutating func readError(_ body: Bytes, _ reader: inout JSONReader) -> Bool {
        var ahead = reader
        switch ahead.next(body) {
        case .objectStart:
            hasError = true
            reader = ahead
            return readFields(body, &reader, isError: true)
        case .string(let range):
            hasError = true
            code = JSONReader.unescapedBytes(body, range)
            reader = ahead
            return true
        default: return reader.skipValue(body) != nil
        }
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

    /// Whether one of the words for the end of a plan is in `text`, whole and in any case. Words end
    /// at everything that is no letter, and in the middle of `planLimit`.
    private static func namesPlanLimit(_ text: [UInt8]) -> Bool {
        var word: [UInt8] = []
        var wasLower = false
        for byte in text + [0x20] {
            let isUpper = (0x41...0x5A).contains(byte)
            let isLower = (0x61...0x7A).contains(byte)
            if !isUpper && !isLower || isUpper && wasLower {
                if planWords.contains(String(decoding: word, as: UTF8.self)) { return true }
                word = []
            }
            if isUpper || isLower { word.append(byte | 0x20) }
            wasLower = isLower
        }
        return false
    }

    private static let planWords: Set<String> = ["plan", "limit", "quota", "credits", "exceeded"]

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
