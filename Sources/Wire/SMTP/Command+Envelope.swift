// MAIL and RCPT: the path and its parameters (RFC 5321 4.1.1.2, 4.1.1.3, 4.1.1.11).
//
// Accepted although the RFC does not allow it, because clients send it: blanks around the colon and
// a path without angle brackets. A parameter that we do not know is refused (555), because to
// ignore it would be to promise what it asks for.

package struct MailCommand: Equatable {
    /// The reverse-path without `<` and `>` and a source route; empty for the null sender.
    package var path: Range<Int>
    /// Bytes announced (RFC 1870); what does not fit an `Int` is `Int.max`.
    package var size: Int?
    package var is8BitMIME: Bool
    package var isSMTPUTF8: Bool
}

package struct RcptCommand: Equatable {
    /// The forward-path without `<`, `>` and a source route.
    package var path: Range<Int>
}

extension Command {
    static func parseMail(_ line: Bytes, _ argument: Range<Int>) -> Command {
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

    static func parseRcpt(_ line: Bytes, _ argument: Range<Int>) -> Command {
        guard let start = pathStart(line, argument, keyword: "TO") else {
            return .malformed(.badSyntax)
        }
        var scanner = PathScanner(line, from: start, to: argument.upperBound)
        // The API knows no host whose postmaster that could be.
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

    /// Behind `FROM:` or `TO:` and blanks; nil when it is not there.
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

    /// Which parameters MAIL had already; none may come twice (RFC 5321 4.1.1.11).
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
            let is7Bit = line.extracting(value).equalsIgnoringCase("7BIT")
            return mail.is8BitMIME || is7Bit ? nil : .unknownParameter
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

    /// RFC 1870 3: one to twenty digits. What no `Int` holds is as large as can be.
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
        /// Behind the first `=`; nil without one.
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
