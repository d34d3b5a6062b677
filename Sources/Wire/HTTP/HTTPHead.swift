// What heads of requests and of responses have in common in HTTP/1.1 (RFC 9112, RFC 9110 5).
//
// Strict where two parsers could disagree on where a message ends: only CRLF ends a line, no
// folding, no blank before the colon, one way of framing, one Content-Length. Ranges are into the
// input; nothing is copied. A head is parsed when it is complete.

import CEpoll.Kernels

/// How a message body is delimited (RFC 9112 6.3).
package enum HTTPBodyFraming: Equatable {
    case none
    case length(Int)
    case chunked
    /// Until the connection closes (responses only).
    case untilClose
}

/// Walks the lines of a head whose blank line has been found.
struct HTTPHeadScanner {
    /// One header field. Ranges are into the input.
    struct Field {
        var name: Range<Int>
        /// Without blanks at both ends.
        var value: Range<Int>
    }

    enum Line {
        case field(Field)
        case end
        case invalid(String)
    }

    /// Where the next line starts.
    private(set) var offset: Int

    init(from start: Int) { offset = start }

    /// Offset after the first `CRLF CRLF` at or after `start`; nil if there is none.
    static func headEnd(_ input: Bytes, from start: Int) -> Int? {
        var from = start
        while let lineFeed = input.firstIndex(of: 0x0A, from: from) {
            if lineFeed >= start + 3, input[lineFeed - 1] == 0x0D, input[lineFeed - 2] == 0x0A,
                input[lineFeed - 3] == 0x0D
            {
                return lineFeed + 1
            }
            from = lineFeed + 1
        }
        return nil
    }

    /// The next line without its CRLF; nil when it holds a control byte other than the tab, or ends
    /// otherwise.
    mutating func line(_ input: Bytes) -> Range<Int>? {
        let start = offset
        guard let lineFeed = input.firstIndex(of: 0x0A, from: start), lineFeed > start,
            input[lineFeed - 1] == 0x0D
        else { return nil }
        offset = lineFeed + 1
        let line = start..<lineFeed - 1
        return input.extracting(line).hasControlBytes ? nil : line
    }

    /// The next header field (RFC 9112 5).
    mutating func next(_ input: Bytes) -> Line {
        guard let line = line(input) else { return .invalid("bad line in the head") }
        guard let first = line.first else { return .end }
        guard !input[first].isBlank else { return .invalid("folded header field") }
        guard let colon = line.first(where: { input[$0] == 0x3A }) else {
            return .invalid("header field without a colon")
        }
        let name = line.lowerBound..<colon
        guard Self.isToken(input, name) else { return .invalid("bad name of a header field") }
        let value = input.trimmed(colon + 1..<line.upperBound)
        return .field(Field(name: name, value: value))
    }

    /// RFC 9110 5.6.2.
    static func isToken(_ input: Bytes, _ range: Range<Int>) -> Bool {
        !range.isEmpty
            && input.extracting(range).withUnsafeBufferPointer {
                ck_is_http_token($0.baseAddress, $0.count) != 0
            }
    }

    /// The minor version when `range` is `HTTP/1.` and one digit.
    static func minorVersion(_ input: Bytes, _ range: Range<Int>) -> UInt8? {
        guard range.count == 8 else { return nil }
        let text: StaticString = "HTTP/1."
        let isSame = text.withUTF8Buffer { buffer in
            (0..<7).allSatisfy { input[range.lowerBound + $0] == buffer[$0] }
        }
        let digit = input[range.upperBound - 1] &- 0x30
        return isSame && digit < 10 ? digit : nil
    }
}

/// What the fields of a head say about its body and its connection.
struct HTTPFramingFields {
    enum Fault: Equatable {
        case badLength, lengthTooLarge, differingLengths, unknownCoding, repeatedCoding
    }

    private(set) var length: Int?
    private(set) var isChunked = false
    private(set) var hasClose = false

    /// Takes the field's value if it is about the body or the connection.
    mutating func note(_ input: Bytes, _ field: HTTPHeadScanner.Field) -> Fault? {
        let name = input.extracting(field.name)
        let value = input.extracting(field.value)
        if name.equalsIgnoringCase("content-length") { return noteLength(value) }
        if name.equalsIgnoringCase("transfer-encoding") {
            guard value.equalsIgnoringCase("chunked") else { return .unknownCoding }
            guard !isChunked else { return .repeatedCoding }
            isChunked = true
        } else if name.equalsIgnoringCase("connection") {
            hasClose = hasClose || Self.list(value, contains: "close")
        }
        return nil
    }

    private mutating func noteLength(_ digits: Bytes) -> Fault? {
        guard digits.count > 0 else { return .badLength }
        var number = 0
        for i in 0..<digits.count {
            guard digits[i] &- 0x30 < 10 else { return .badLength }
            let (tens, isOver) = number.multipliedReportingOverflow(by: 10)
            let (sum, isOverToo) = tens.addingReportingOverflow(Int(digits[i] - 0x30))
            guard !isOver && !isOverToo else { return .lengthTooLarge }
            number = sum
        }
        guard length == nil || length == number else { return .differingLengths }
        length = number
        return nil
    }

    /// Whether a comma-separated list (RFC 9110 5.6.1) holds `item`.
    private static func list(_ value: Bytes, contains item: StaticString) -> Bool {
        var start = 0
        while start <= value.count {
            let end = value.firstIndex(of: 0x2C, from: start) ?? value.count
            if value.extracting(value.trimmed(start..<end)).equalsIgnoringCase(item) {
                return true
            }
            start = end + 1
        }
        return false
    }
}
