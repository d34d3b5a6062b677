// What became of a message, by the API's answer or by the relay's own checks. The replies to the
// client are made elsewhere.

/// What became of a message; every case has its reply.
package enum Outcome: Equatable {
    case accepted(messageID: [UInt8])
    /// 400, 404, 409 and any 4xx without a meaning of its own: 554 and the API's own message.
    case invalidRequest(message: [UInt8])
    /// 401: 451, because a mail server bounces what gets a 535 after the dot.
    case keyRefused
    /// 403: 550 and the API's own message.
    case forbidden(message: [UInt8])
    /// 402, or a 403 that speaks of a plan or its limits: 452 and the API's own message. It ends by
    /// itself or by a payment.
    case planLimit(message: [UInt8])
    /// 413
    case tooLarge
    /// 422
    case allSuppressed
    /// 429
    case rateLimited(RateLimit)
    /// 451; uncertain when the API may have acted.
    case unavailable(isUncertain: Bool)
    /// 554 Failed to parse message: what and where.
    case unparsable(reason: [UInt8])
    /// More Received fields than a message gets on a sane way: it runs in circles (RFC 5321 6.3).
    case tooManyHops
    /// Memory or the disk has no room for what must be held.
    case noRoom
    /// Each of its hidden recipients would need a call of its own with the whole message.
    case groupTooLarge
    /// The API's attachment limits: 552 (size) or 554 (number), with the text.
    case attachmentLimit(isSize: Bool, reason: [UInt8])
    /// Signed or encrypted, and the operator does not want such mail sent: 554.
    case protected(isEncrypted: Bool)
}

/// What a 429 said.
package struct RateLimit: Sendable, Equatable {
    /// "daily", "hourly", "per minute"…: printable ASCII, at most 32 characters; empty when the
    /// answer has none.
    package var kind: String
    /// Seconds to wait from now on; nil when the answer has none.
    package var retryAfterSeconds: Int?
    /// It is the limit of the sending domain, which is warming up; else that of the key.
    package var isOfDomain: Bool

    package init(kind: String, retryAfterSeconds: Int?, isOfDomain: Bool = false) {
        self.kind = kind
        self.retryAfterSeconds = retryAfterSeconds
        self.isOfDomain = isOfDomain
    }
}
