// What became of a message, and the reply that says so: the table of "Replies, to the letter".

import Wire

/// What became of a message; every case has its reply.
enum Outcome: Equatable {
    case accepted(messageID: [UInt8])
    /// 400: 554 and the API's own message.
    case invalidRequest(message: [UInt8])
    /// 401
    case keyRefused
    /// 403: 550 and the API's own message.
    case forbidden(message: [UInt8])
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
    /// The API's attachment limits: 552 (size) or 554 (number), with the text.
    case attachmentLimit(isSize: Bool, reason: [UInt8])
}

extension Outcome {
    /// The reply to the final dot. Texts of the API are cleaned and cut by `Reply`.
    /// - Parameter isVerbose: 429 also says which limit and for how long.
    func reply(isVerbose: Bool) -> Reply {
        switch self {
        case .accepted(let messageID): .queued(as: messageID)
        case .invalidRequest(let message): .rejected(message: message)
        case .keyRefused: .authFailed
        case .forbidden(let message): .forbidden(message: message)
        case .tooLarge: .messageTooLarge
        case .allSuppressed: .allSuppressed
        case .rateLimited(let limit): isVerbose ? .rateLimited(detail: limit.words) : .rateLimited
        case .unavailable: .apiUnavailable
        case .unparsable(let reason): .parseFailed(reason: reason)
        case .attachmentLimit(let isSize, let reason):
            .attachmentLimit(isSize: isSize, reason: reason)
        }
    }
}

extension RateLimit {
    /// "daily limit, retry in 3600 seconds", as much of it as is known; for `--verbose-replies`.
    var words: [UInt8] {
        var words: [String] = []
        if !kind.isEmpty { words.append("\(kind) limit") }
        if let seconds = retryAfterSeconds { words.append("retry in \(seconds) seconds") }
        return Array(words.joined(separator: ", ").utf8)
    }
}
