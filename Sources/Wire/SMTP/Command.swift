// Takes one SMTP command line apart (RFC 5321 4.1.1, RFC 4954, RFC 3207, RFC 3030).
//
// Tolerant where clients need it (case, blanks, also around the colon, missing angle brackets), strict
// where tolerance would let bytes through that mean something else later on. An unknown parameter of
// MAIL or RCPT is refused (555), because ignoring it would promise what it asks for. Pure: ranges into
// the line, no copies, one pass. It does not know the state of the session.

/// One SMTP command line (without its line end), taken apart. Ranges are into the line.
package enum Command: Equatable {
    case ehlo(Range<Int>)
    case helo(Range<Int>)
    case startTLS
    /// An initial response of `=` means the empty one (RFC 4954 4).
    case auth(mechanism: Range<Int>, initial: Range<Int>?)
    case mail(MailCommand)
    case rcpt(RcptCommand)
    case data, rset, noop, quit, vrfy, expn, help
    case bdat(BdatCommand)
    /// GET, POST, CONNECT…, or a header such as `Host:`: a browser or an attack; the session closes
    /// at once.
    case httpVerb
    case malformed(CommandFault)

    /// - Parameter line: one line as a `LineReader` frames it.
    package static func parse(_ line: Bytes) -> Command {
        let trimmed = line.trimmed(0..<line.count)
        let verb = 0..<(line.firstBlank(from: 0) ?? line.count)
        let argument = line.trimmed(min(verb.upperBound, trimmed.upperBound)..<trimmed.upperBound)
        guard let name = Verb(line.extracting(verb)) else {
            // `Host:`, `Content-Type:`: the request line before it was too long to be recognised.
            if !verb.isEmpty && line[verb.upperBound - 1] == 0x3A { return .httpVerb }
            // A client that writes it like this sends its payload all the same.
            if line.extracting(trimmed).startsIgnoringCase("BDAT") { return .malformed(.badChunk) }
            return .malformed(line.hasControlBytes ? .controlBytes : .unrecognized)
        }
        if name == .http { return .httpVerb }
        if name == .bdat {
            return line.hasControlBytes ? .malformed(.badChunk) : parseBdat(line, argument)
        }
        if line.hasControlBytes { return .malformed(.controlBytes) }
        if name != .mail && name != .rcpt && !line.isASCII { return .malformed(.badSyntax) }
        return parse(name, line, argument)
    }

    private static func parse(_ verb: Verb, _ line: Bytes, _ argument: Range<Int>) -> Command {
        switch verb {
        case .ehlo: argument.isEmpty ? .malformed(.badSyntax) : .ehlo(argument)
        case .helo: argument.isEmpty ? .malformed(.badSyntax) : .helo(argument)
        case .mail: parseMail(line, argument)
        case .rcpt: parseRcpt(line, argument)
        case .auth: parseAuth(line, argument)
        case .startTLS: argument.isEmpty ? .startTLS : .malformed(.argumentsNotAllowed)
        case .data: argument.isEmpty ? .data : .malformed(.argumentsNotAllowed)
        case .rset: argument.isEmpty ? .rset : .malformed(.argumentsNotAllowed)
        case .quit: argument.isEmpty ? .quit : .malformed(.argumentsNotAllowed)
        case .noop: .noop
        case .vrfy: .vrfy
        case .expn: .expn
        case .help: .help
        case .bdat: parseBdat(line, argument)
        case .http: .httpVerb
        }
    }

    /// `AUTH mechanism [initial-response]` (RFC 4954 4).
    private static func parseAuth(_ line: Bytes, _ argument: Range<Int>) -> Command {
        let end = line.firstBlank(from: argument.lowerBound) ?? argument.upperBound
        let mechanism = argument.lowerBound..<min(end, argument.upperBound)
        guard !mechanism.isEmpty, mechanism.allSatisfy({ line[$0].isMechanismCharacter }) else {
            return .malformed(.badSyntax)
        }
        let initial = line.trimmed(mechanism.upperBound..<argument.upperBound)
        guard !initial.isEmpty else { return .auth(mechanism: mechanism, initial: nil) }
        guard !initial.contains(where: { line[$0].isBlank }) else {
            return .malformed(.badSyntax)
        }
        return .auth(mechanism: mechanism, initial: initial)
    }

    /// `BDAT chunk-size [LAST]` (RFC 3030 2). Anything else than these words is `badChunk`.
    private static func parseBdat(_ line: Bytes, _ argument: Range<Int>) -> Command {
        let end = line.firstBlank(from: argument.lowerBound) ?? argument.upperBound
        let digits = argument.lowerBound..<min(end, argument.upperBound)
        let word = line.trimmed(digits.upperBound..<argument.upperBound)
        guard let size = chunkSize(line.extracting(digits)),
            word.isEmpty || line.extracting(word).equalsIgnoringCase("LAST")
        else { return .malformed(.badChunk) }
        return .bdat(BdatCommand(size: size, isLast: !word.isEmpty))
    }

    /// Digits that every server reads as the same number: no sign, no leading zero (some would read
    /// octal), and at most `Int.max`.
    private static func chunkSize(_ digits: Bytes) -> Int? {
        guard (1...19).contains(digits.count), digits.count == 1 || digits[0] != 0x30 else {
            return nil
        }
        guard let size = size(digits), size < .max else { return nil }
        return size
    }
}

package struct MailCommand: Equatable {
    /// The reverse-path without `<` and `>` and a source route; empty for the null sender.
    package var path: Range<Int>
    /// Bytes announced (RFC 1870); a number that does not fit an `Int` is `Int.max`.
    package var size: Int?
    package var is8BitMIME: Bool
    /// The content may hold any bytes (RFC 3030 3).
    package var isBinaryMIME = false
    package var isSMTPUTF8: Bool
}

package struct RcptCommand: Equatable {
    /// The forward-path without `<`, `>` and a source route.
    package var path: Range<Int>
}

package struct BdatCommand: Equatable {
    /// Bytes of payload that follow the command line; may be 0.
    package var size: Int
    /// The chunk is the last one of its message.
    package var isLast: Bool
}

/// Why a command line is refused. Each has its reply.
package enum CommandFault: Equatable {
    case unrecognized  // 500
    case badSyntax  // 501
    case badAddress  // 501
    case noDomain  // 553, RCPT TO:<Postmaster>
    case badSize  // 501
    case badChunk  // 501, BDAT whose payload has no certain end: what follows may be no command
    case argumentsNotAllowed  // 501
    case unknownParameter  // 555
    case controlBytes  // 500, NUL or control bytes
}

// MARK: - MAIL and RCPT (RFC 5321 4.1.1.2, 4.1.1.3, 4.1.1.11)

extension Command {
    private static func parseMail(_ line: Bytes, _ argument: Range<Int>) -> Command {
        guard let start = pathStart(line, argument, keyword: "FROM") else {
            return .malformed(.badSyntax)
        }
        var scanner = PathScanner(line, from: start, to: argument.upperBound)
        guard let path = scanner.path(isNullAllowed: true) else { return .malformed(.badAddress) }
        var mail = MailCommand(path: path, size: nil, is8BitMIME: false, isSMTPUTF8: false)
        var seen = Seen()
        var parameters = ParameterScanner(from: scanner.offset, to: argument.upperBound)
        while let parameter = parameters.next(line) {
            if let fault = apply(parameter, line, to: &mail, &seen) { return .malformed(fault) }
        }
        return .mail(mail)
    }

    private static func parseRcpt(_ line: Bytes, _ argument: Range<Int>) -> Command {
        guard let start = pathStart(line, argument, keyword: "TO") else {
            return .malformed(.badSyntax)
        }
        var scanner = PathScanner(line, from: start, to: argument.upperBound)
        // `<Postmaster>` means the postmaster of the host; the API knows no such host.
        if scanner.isPostmaster { return .malformed(.noDomain) }
        guard let path = scanner.path(isNullAllowed: false) else {
            return .malformed(.badAddress)
        }
        var parameters = ParameterScanner(from: scanner.offset, to: argument.upperBound)
        guard let parameter = parameters.next(line) else {
            return .rcpt(RcptCommand(path: path))
        }
        return .malformed(isKeyword(line, parameter.name) ? .unknownParameter : .badSyntax)
    }

    /// The offset after `FROM:` or `TO:` and blanks; nil when the keyword is missing.
    private static func pathStart(
        _ line: Bytes, _ argument: Range<Int>, keyword: StaticString
    ) -> Int? {
        guard line.extracting(argument).startsIgnoringCase(keyword) else { return nil }
        var at = argument.lowerBound + keyword.utf8CodeUnitCount
        while at < argument.upperBound, line[at].isBlank { at += 1 }
        guard at < argument.upperBound, line[at] == 0x3A else { return nil }
        at += 1
        while at < argument.upperBound, line[at].isBlank { at += 1 }
        return at
    }

    /// Which parameters MAIL had already; each may come once (RFC 5321 4.1.1.11).
    private struct Seen {
        var size = false
        var body = false
        var auth = false
    }

    private static func apply(
        _ parameter: ParameterScanner.Parameter, _ line: Bytes, to mail: inout MailCommand,
        _ seen: inout Seen
    ) -> CommandFault? {
        let name = line.extracting(parameter.name)
        guard isKeyword(line, parameter.name) else { return .badSyntax }
        if name.equalsIgnoringCase("SIZE") {
            guard !seen.size, let value = parameter.value else { return .badSize }
            seen.size = true
            mail.size = size(line.extracting(value))
            return mail.size == nil ? .badSize : nil
        }
        if name.equalsIgnoringCase("BODY") {
            guard !seen.body, let value = parameter.value else { return .badSyntax }
            seen.body = true
            mail.is8BitMIME = line.extracting(value).equalsIgnoringCase("8BITMIME")
            mail.isBinaryMIME = line.extracting(value).equalsIgnoringCase("BINARYMIME")
            let is7Bit = line.extracting(value).equalsIgnoringCase("7BIT")
            return mail.is8BitMIME || mail.isBinaryMIME || is7Bit ? nil : .unknownParameter
        }
        if name.equalsIgnoringCase("SMTPUTF8") {
            guard !mail.isSMTPUTF8, parameter.value == nil else { return .badSyntax }
            mail.isSMTPUTF8 = true
            return nil
        }
        if name.equalsIgnoringCase("AUTH") {
            guard !seen.auth, parameter.value != nil else { return .badSyntax }
            seen.auth = true
            return nil
        }
        return .unknownParameter
    }

    /// RFC 1870 3: one to twenty digits. A number that does not fit an `Int` is `Int.max`.
    private static func size(_ digits: Bytes) -> Int? {
        guard (1...20).contains(digits.count) else { return nil }
        var size = 0
        for i in 0..<digits.count {
            guard digits[i] &- 0x30 < 10 else { return nil }
            let (tens, isOver) = size.multipliedReportingOverflow(by: 10)
            let (sum, isOverToo) = tens.addingReportingOverflow(Int(digits[i] - 0x30))
            size = isOver || isOverToo ? .max : sum
        }
        return size
    }

    /// `esmtp-keyword` (RFC 5321 4.1.2): a letter or digit, then letters, digits and hyphens.
    private static func isKeyword(_ line: Bytes, _ name: Range<Int>) -> Bool {
        guard let first = name.first, line[first].isAlphanumeric else { return false }
        return name.allSatisfy { line[$0].isAlphanumeric || line[$0] == 0x2D }
    }
}

/// Walks `NAME`, `NAME=value` between blanks.
private struct ParameterScanner {
    struct Parameter {
        var name: Range<Int>
        /// After the first `=`; nil without one.
        var value: Range<Int>?
    }

    private var offset: Int
    private let end: Int

    init(from start: Int, to end: Int) {
        offset = start
        self.end = end
    }

    mutating func next(_ line: Bytes) -> Parameter? {
        while offset < end, line[offset].isBlank { offset += 1 }
        guard offset < end else { return nil }
        let start = offset
        var equals: Int?
        while offset < end, !line[offset].isBlank {
            if line[offset] == 0x3D && equals == nil { equals = offset }
            offset += 1
        }
        guard let equals else { return Parameter(name: start..<offset, value: nil) }
        return Parameter(name: start..<equals, value: equals + 1..<offset)
    }
}

// MARK: - Verbs

/// The first word of a command line.
private enum Verb {
    case ehlo, helo, startTLS, auth, mail, rcpt, data, rset, noop, quit, vrfy, expn, help, bdat
    case http

    init?(_ word: Bytes) {
        switch word.count {
        case 3: self.init(three: word)
        case 4: self.init(four: word)
        default: self.init(long: word)
        }
    }

    private init?(four word: Bytes) {
        if word.equalsIgnoringCase("MAIL") {
            self = .mail
        } else if word.equalsIgnoringCase("RCPT") {
            self = .rcpt
        } else if word.equalsIgnoringCase("DATA") {
            self = .data
        } else if word.equalsIgnoringCase("EHLO") {
            self = .ehlo
        } else if word.equalsIgnoringCase("HELO") {
            self = .helo
        } else if word.equalsIgnoringCase("AUTH") {
            self = .auth
        } else if word.equalsIgnoringCase("QUIT") {
            self = .quit
        } else if word.equalsIgnoringCase("RSET") {
            self = .rset
        } else if word.equalsIgnoringCase("NOOP") {
            self = .noop
        } else if word.equalsIgnoringCase("VRFY") {
            self = .vrfy
        } else if word.equalsIgnoringCase("EXPN") {
            self = .expn
        } else if word.equalsIgnoringCase("HELP") {
            self = .help
        } else if word.equalsIgnoringCase("BDAT") {
            self = .bdat
        } else if word.equalsIgnoringCase("POST") || word.equalsIgnoringCase("HEAD") {
            self = .http
        } else {
            return nil
        }
    }

    private init?(three word: Bytes) {
        guard
            word.equalsIgnoringCase("GET") || word.equalsIgnoringCase("PUT")
                || word.equalsIgnoringCase("PRI")
        else { return nil }
        self = .http
    }

    private init?(long word: Bytes) {
        if word.equalsIgnoringCase("STARTTLS") {
            self = .startTLS
        } else if word.equalsIgnoringCase("CONNECT") || word.equalsIgnoringCase("OPTIONS")
            || word.equalsIgnoringCase("TRACE") || word.equalsIgnoringCase("DELETE")
            || word.equalsIgnoringCase("PATCH")
        {
            self = .http
        } else {
            return nil
        }
    }
}

extension UInt8 {
    /// RFC 4422 3.1: letters, digits, `-` and `_`.
    fileprivate var isMechanismCharacter: Bool { isAlphanumeric || self == 0x2D || self == 0x5F }
}
