// Takes one SMTP command line apart (RFC 5321 4.1.1, RFC 4954, RFC 3207, RFC 3030).
//
// Tolerant where clients in the field need it (case, blanks, missing angle brackets), strict where
// tolerance would let bytes through that mean something else further on. Pure: ranges into the
// line, no copies, one pass. What the session is in the middle of is not known here.

import CEpoll.Kernels

/// One SMTP command line (without its line end), taken apart. Ranges are into the line.
package enum Command: Equatable {
    case ehlo(Range<Int>)
    case helo(Range<Int>)
    case startTLS
    /// An initial response of `=` stands for the empty one (RFC 4954 4).
    case auth(mechanism: Range<Int>, initial: Range<Int>?)
    case mail(MailCommand)
    case rcpt(RcptCommand)
    case data, rset, noop, quit, vrfy, expn, help, bdat
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
            // `Host:`, `Content-Type:`: the request line was too long to be seen.
            if !verb.isEmpty && line[verb.upperBound - 1] == 0x3A { return .httpVerb }
            return .malformed(line.hasControlBytes ? .controlBytes : .unrecognized)
        }
        if name == .http { return .httpVerb }
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
        case .bdat: .bdat
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
}

/// Why a command line is refused; each has its reply.
package enum CommandFault: Equatable {
    case unrecognized  // 500
    case badSyntax  // 501
    case badAddress  // 501
    case noDomain  // 553, RCPT TO:<Postmaster>
    case badSize  // 501
    case argumentsNotAllowed  // 501
    case unknownParameter  // 555
    case controlBytes  // 500, NUL or control bytes
}

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

extension Span where Element == UInt8 {
    /// Offset of the first space or tab at or behind `start`.
    func firstBlank(from start: Int) -> Int? {
        var at = start
        while at < count, !self[at].isBlank { at += 1 }
        return at < count ? at : nil
    }

    /// Whether a NUL, DEL or another control byte than the tab is in here.
    var hasControlBytes: Bool {
        withUnsafeBufferPointer { ck_has_controls($0.baseAddress, $0.count) != 0 }
    }

    /// Whether no byte is over 127; an address that is not needs SMTPUTF8 (RFC 6531 3.3).
    package var isASCII: Bool {
        var all: UInt8 = 0
        for i in 0..<count { all |= self[i] }
        return all < 0x80
    }
}

extension UInt8 {
    /// Space or tab.
    var isBlank: Bool { self == 0x20 || self == 0x09 }

    /// ASCII letter or digit.
    var isAlphanumeric: Bool { asciiLowercased &- 0x61 < 26 || self &- 0x30 < 10 }

    /// RFC 4422 3.1: letters, digits, `-` and `_`.
    fileprivate var isMechanismCharacter: Bool { isAlphanumeric || self == 0x2D || self == 0x5F }
}
