// Every reply of the product, with exactly the texts of its public page.
//
// The order is that of the codes. Enhanced status codes are those of RFC 3463 and of the registry
// of RFC 5248; they are sent only if the operator asked for them.

extension Reply {
    // MARK: 2xx, 3xx

    package static let help = Reply(
        214, (2, 0, 0), "EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY HELP")
    /// `help` where BDAT is not offered.
    package static let helpWithoutChunking = Reply(
        214, (2, 0, 0), "EHLO HELO STARTTLS AUTH MAIL RCPT DATA RSET NOOP QUIT VRFY HELP")
    package static let readyForTLS = Reply(220, (2, 0, 0), "Ready to start TLS")
    package static let bye = Reply(221, (2, 0, 0), "Bye")
    package static let authenticated = Reply(235, (2, 7, 0), "Authentication successful")
    /// RSET, when the last reply was this refusal: `250 Ok (last reply: 550 All recipients suppressed)`.
    /// Some clients say RSET at once, and show their users what that was answered (Alpine).
    package static func ok(after refusal: Reply) -> Reply {
        // Room for our own words, the enhanced status and the line end.
        let words = refusal.line.utf8.prefix(wireBytesMax - 40)
        return Reply(
            250, (2, 0, 0), "Ok (last reply: ", detail: Array(words) + [UInt8(ascii: ")")])
    }
    /// RSET and NOOP, and a chunk of BDAT that is not the last.
    package static let ok = Reply(250, (2, 0, 0), "Ok")
    package static let senderOk = Reply(250, (2, 1, 0), "Ok")
    package static let recipientOk = Reply(250, (2, 1, 5), "Ok")
    /// VRFY does not tell which addresses exist (RFC 5321 7.3).
    package static let cannotVerify = Reply(
        252, (2, 0, 0), "Cannot VRFY user, but will accept message and attempt delivery")
    /// AUTH LOGIN asks for the username: `Username:` in base64.
    package static let usernamePrompt = Reply(334, nil, "VXNlcm5hbWU6")
    /// AUTH LOGIN asks for the password: `Password:` in base64.
    package static let passwordPrompt = Reply(334, nil, "UGFzc3dvcmQ6")
    /// AUTH PLAIN without an initial response: the empty challenge.
    package static let emptyChallenge = Reply(334, nil, "")
    package static let startData = Reply(354, nil, "End data with <CR><LF>.<CR><LF>")

    /// The message was accepted; `messageID` as the API gave it, empty when it gave none.
    package static func queued(as messageID: [UInt8]) -> Reply {
        messageID.isEmpty
            ? Reply(250, (2, 0, 0), "Ok: queued")
            : Reply(250, (2, 0, 0), "Ok: queued as ", detail: messageID)
    }

    /// `queued(as:)` and what the message has lost on the way, in parentheses:
    /// `250 Ok: queued as ID (signature not kept; characters replaced)`.
    /// - Parameter losses: words with `; ` between them; as many of them as the line has room for.
    package static func queued(as messageID: [UInt8], losses: String) -> Reply {
        let reply = queued(as: messageID)
        // The enhanced status takes six bytes, code and parentheses seven.
        let room = wireBytesMax - 15 - reply.text.utf8CodeUnitCount - messageID.count
        let words = cut(Array(losses.utf8), to: room)
        guard !words.isEmpty else { return reply }
        let end = [UInt8(ascii: "(")] + words + [UInt8(ascii: ")")]
        return messageID.isEmpty
            ? Reply(250, (2, 0, 0), "Ok: queued ", detail: end)
            : Reply(250, (2, 0, 0), reply.text, detail: messageID + [0x20] + end)
    }

    /// As many of `words`, which `; ` separates, as fit into `room` bytes; `more` stands for others.
    private static func cut(_ words: [UInt8], to room: Int) -> [UInt8] {
        guard words.count > room else { return words }
        let more = Array("; more".utf8)
        guard room > more.count else { return [] }
        let fitting = words[..<(room - more.count + 1)]
        guard let end = fitting.lastIndex(of: UInt8(ascii: ";")) else { return [] }
        return words[..<end] + more
    }

    // MARK: 4xx

    package static let idleTimeout = Reply(421, (4, 4, 2), "Timeout, closing connection")
    package static let sessionTimeout = Reply(
        421, (4, 4, 2), "Session time limit reached, closing connection")
    package static let tooSlow = Reply(421, (4, 4, 2), "Data too slow, closing connection")
    /// Silence after a dot that a client takes for the end of its message (`DotReader.endsInBareDot`).
    package static let unended = Reply(421, (4, 4, 2), "Message must end with CRLF.CRLF")
    package static let shuttingDown = Reply(421, (4, 3, 2), "Service shutting down")
    package static let tooManyErrors = Reply(
        421, (4, 7, 0), "Too many errors, closing connection")
    package static let tooManyCommands = Reply(
        421, (4, 7, 0), "Too many commands without a message, closing connection")
    package static let tooManyFailedLogins = Reply(
        421, (4, 7, 0), "Too many failed logins, closing connection")
    package static let tooManyConnections = Reply(
        421, (4, 7, 0), "Too many connections, try again later")
    package static let tooManyHandshakes = Reply(
        421, (4, 7, 0), "Too many TLS handshakes, try again later")
    package static let authUnavailable = Reply(
        451, (4, 7, 0), "Authentication service unavailable")
    /// 401 while sending, and MAIL after it or after a refused AUTH until one succeeds. A 5yz there
    /// would make a mail server bounce its queue.
    package static let logInAgain = Reply(
        451, (4, 7, 0), "Authentication failed, log in again")
    package static let apiUnavailable = Reply(451, (4, 4, 1), "API unavailable")
    /// No memory for the message within the idle timeout, or no room in temporary files.
    package static let insufficientMemory = Reply(
        451, (4, 3, 1), "Insufficient resources, try again later")
    package static let tooManyRecipients = Reply(452, (4, 5, 3), "Too many recipients")
    package static let rateLimited = Reply(
        452, (4, 7, 0), "Rate limit exceeded, try again later")

    /// `rateLimited` and, after a colon, which limit and how long to wait.
    package static func rateLimited(detail: [UInt8]) -> Reply {
        detail.isEmpty
            ? rateLimited
            : Reply(452, (4, 7, 0), "Rate limit exceeded, try again later: ", detail: detail)
    }

    /// 402 and the like: the API's own message.
    package static func planLimit(message: [UInt8]) -> Reply {
        message.hasVisibleASCII
            ? Reply(452, (4, 7, 0), "", detail: message)
            : Reply(452, (4, 7, 0), "Plan limit reached")
    }

    // MARK: 5xx: commands

    package static let unrecognized = Reply(500, (5, 5, 1), "Command not recognized")
    package static let controlBytes = Reply(500, (5, 5, 2), "Control bytes in command")
    package static let lineTooLong = Reply(500, (5, 5, 2), "Line too long")
    /// RFC 4954 4: an AUTH response over the limit.
    package static let authLineTooLong = Reply(
        500, (5, 5, 6), "Authentication exchange line is too long")
    package static let badSyntax = Reply(
        501, (5, 5, 4), "Syntax error in parameters or arguments")
    package static let badAddress = Reply(501, (5, 1, 0), "Bad address syntax")
    package static let badSize = Reply(501, (5, 5, 4), "Bad SIZE value")
    package static let badChunk = Reply(501, (5, 5, 4), "Bad chunk size, closing connection")
    package static let argumentsNotAllowed = Reply(
        501, (5, 5, 4), "Command takes no arguments")
    package static let authCancelled = Reply(501, (5, 7, 0), "Authentication cancelled")
    package static let badBase64 = Reply(501, (5, 5, 2), "Cannot decode response")
    package static let badAuthFormat = Reply(501, (5, 5, 2), "Malformed authentication response")
    package static let notImplemented = Reply(502, (5, 5, 1), "Command not implemented")
    package static let authRequired = Reply(502, (5, 7, 0), "Authentication required")
    package static let badSequence = Reply(503, (5, 5, 1), "Bad sequence of commands")
    package static let alreadyAuthenticated = Reply(503, (5, 5, 1), "Already authenticated")
    package static let tlsAlreadyActive = Reply(503, (5, 5, 1), "TLS already active")
    package static let unknownMechanism = Reply(
        504, (5, 5, 4), "Unrecognized authentication type")
    package static let tlsRequired = Reply(
        530, (5, 7, 0), "Must issue a STARTTLS command first")
    package static let badUsername = Reply(
        535, (5, 7, 8), "Invalid username, use \"postscale\"")
    package static let authFailed = Reply(535, (5, 7, 8), "Authentication failed")
    /// RFC 5321 4.1.1.3 wants every server that delivers mail to accept `RCPT TO:<Postmaster>`; the
    /// relay does not deliver.
    package static let noDomain = Reply(553, (5, 1, 3), "Address needs a domain")
    package static let utf8Required = Reply(553, (5, 6, 7), "Address needs SMTPUTF8")
    package static let bytesBehindSTARTTLS = Reply(
        554, (5, 5, 1), "Bytes behind STARTTLS, closing connection")
    package static let notHTTP = Reply(554, (5, 5, 1), "This is SMTP, closing connection")
    package static let unknownParameter = Reply(555, (5, 5, 4), "Parameters not recognized")

    // MARK: 5xx: messages

    package static let allSuppressed = Reply(550, (5, 7, 1), "All recipients suppressed")
    package static let messageTooLarge = Reply(552, (5, 3, 4), "Message size exceeds maximum")
    package static let groupTooLarge = Reply(
        552, (5, 3, 4), "Message too large for its number of hidden recipients")
    package static let parseFailed = Reply(554, (5, 6, 0), "Failed to parse message")
    /// With `--refuse-encrypted`; the message can be read well.
    package static let signedRefused = Reply(
        554, (5, 6, 1), "Signed message refused, because its signature would be lost")
    package static let encryptedRefused = Reply(
        554, (5, 6, 1), "Encrypted message refused, because it would arrive as a file")
    /// RFC 3463 3.5: a routing loop.
    package static let tooManyHops = Reply(554, (5, 4, 6), "Too many hops")

    /// `messageTooLarge` with the limit: `552 Message size exceeds maximum of 52428800 bytes`.
    package static func messageTooLarge(bytesMax: Int) -> Reply {
        Reply(
            552, (5, 3, 4), "Message size exceeds maximum of ",
            detail: Array("\(bytesMax) bytes".utf8))
    }

    /// `parseFailed` and, after a colon, what and where.
    package static func parseFailed(reason: [UInt8]) -> Reply {
        reason.isEmpty
            ? parseFailed
            : Reply(554, (5, 6, 0), "Failed to parse message: ", detail: reason)
    }

    /// 403: the API's own message.
    package static func forbidden(message: [UInt8]) -> Reply {
        message.hasVisibleASCII
            ? Reply(550, (5, 7, 1), "", detail: message)
            : Reply(550, (5, 7, 1), "Not permitted by the API")
    }

    /// 400, 404, 409 and the like: the API's own message.
    package static func rejected(message: [UInt8]) -> Reply {
        message.hasVisibleASCII
            ? Reply(554, (5, 6, 0), "", detail: message)
            : Reply(554, (5, 6, 0), "Message rejected by the API")
    }

    /// The API's limits on attachments: their size (552) or their number (554).
    package static func attachmentLimit(isSize: Bool, reason: [UInt8]) -> Reply {
        isSize
            ? Reply(552, (5, 3, 4), "", detail: reason)
            : Reply(554, (5, 6, 0), "", detail: reason)
    }
}

extension CommandFault {
    /// The reply to a command with this fault.
    package var reply: Reply {
        switch self {
        case .unrecognized: .unrecognized
        case .badSyntax: .badSyntax
        case .badAddress: .badAddress
        case .noDomain: .noDomain
        case .badSize: .badSize
        case .badChunk: .badChunk
        case .argumentsNotAllowed: .argumentsNotAllowed
        case .unknownParameter: .unknownParameter
        case .controlBytes: .controlBytes
        }
    }
}

extension Array where Element == UInt8 {
    /// Whether anything readable is left when the text is cleaned.
    fileprivate var hasVisibleASCII: Bool { contains { $0 > 0x20 && $0 < 0x7F } }
}
