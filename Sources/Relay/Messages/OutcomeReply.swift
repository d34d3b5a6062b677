// The reply for each outcome of a message: the table of "Replies, to the letter".

import APIClient
import Wire

extension Outcome {
    /// The reply to the final dot. Texts of the API are cleaned and cut by `Reply`.
    /// - Parameters:
    ///   - isVerbose: 429 also says which limit and for how long.
    ///   - losses: what an accepted message has lost on the way, in the words of
    ///     `MappingLosses.wordsForSender`; empty for nothing, or when replies are not verbose.
    package func reply(isVerbose: Bool, losses: String = "") -> Reply {
        switch self {
        case .accepted(let messageID): .queued(as: messageID, losses: losses)
        case .invalidRequest(let message): .rejected(message: message)
        case .keyRefused: .logInAgain
        case .forbidden(let message): .forbidden(message: message)
        case .planLimit(let message): .planLimit(message: message)
        case .tooLarge: .messageTooLarge
        case .allSuppressed: .allSuppressed
        case .rateLimited(let limit): isVerbose ? .rateLimited(detail: limit.words) : .rateLimited
        case .unavailable: .apiUnavailable
        case .unparsable(let reason): .parseFailed(reason: reason)
        case .tooManyHops: .tooManyHops
        case .noRoom: .insufficientMemory
        case .groupTooLarge: .groupTooLarge
        case .attachmentLimit(let isSize, let reason):
            .attachmentLimit(isSize: isSize, reason: reason)
        case .protected(let isEncrypted): isEncrypted ? .encryptedRefused : .signedRefused
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
