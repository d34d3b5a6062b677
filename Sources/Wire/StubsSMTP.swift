// STUB of the contract (author: wire-protocols). Replace by the real files, one per concept.

/// One SMTP command line (without its line end), taken apart. Ranges are into the line.
package enum Command: Equatable {
    case ehlo(Range<Int>)
    case helo(Range<Int>)
    case startTLS
    case auth(mechanism: Range<Int>, initial: Range<Int>?)
    case mail(MailCommand)
    case rcpt(RcptCommand)
    case data, rset, noop, quit, vrfy, expn, help, bdat
    /// GET, POST, CONNECT… : a browser or an attack; the session closes at once.
    case httpVerb
    case malformed(CommandFault)

    package static func parse(_ line: Bytes) -> Command { fatalError() }
}

package struct MailCommand: Equatable {
    /// The reverse-path without `<` and `>`; empty for the null sender.
    package var path: Range<Int>
    package var size: Int?
    package var is8BitMIME: Bool
    package var isSMTPUTF8: Bool
}

package struct RcptCommand: Equatable {
    /// The forward-path without `<`, `>` and a source route.
    package var path: Range<Int>
}

/// Why a command line is refused; each has its reply.
package enum CommandFault: Equatable {
    case unrecognized  // 500
    case badSyntax  // 501
    case badAddress  // 501
    case badSize  // 501
    case argumentsNotAllowed  // 501
    case unknownParameter  // 555
    case controlBytes  // 500, NUL or control bytes
}

/// What the next thing in DATA is. Ranges are into the input.
package enum DotVerdict: Equatable {
    /// Content, dots already taken off.
    case content(Range<Int>)
    /// A CR of the content that the last input ended with and that could have been part of the end.
    case literalCR
    /// The input is used up.
    case needInput
    /// CRLF.CRLF seen; `next` is the offset of the first byte behind it.
    case end(next: Int)
}

/// RFC 5321 4.5.2: takes the transparency dots off and finds the end of data, CRLF.CRLF alone.
package struct DotReader {
    package init() {}
    /// - Parameter offset: where to go on in `input`; moved forward.
    package mutating func next(_ input: Bytes, _ offset: inout Int) -> DotVerdict { fatalError() }
}

package enum SASL {
    /// What came of an AUTH response.
    package enum Outcome: Equatable {
        /// Ranges into what was written to `output`.
        case credentials(username: Range<Int>, password: Range<Int>)
        case badBase64
        case badFormat
        /// authzid neither empty nor the username
        case badAuthorizationIdentity
    }
    /// RFC 4616. `=` is the empty response.
    package static func plain(_ base64: Bytes, into output: inout Region) -> Outcome { fatalError() }
    /// One LOGIN answer; nil for bad base64.
    package static func login(_ base64: Bytes, into output: inout Region) -> Range<Int>? {
        fatalError()
    }
}
