// Reads one JSON text token by token (RFC 8259), strictly: for the API's answers, the metadata
// header and the sandbox.
//
// A pull reader over a whole text in memory: tokens are ranges and nothing is copied. Nesting is a
// stack of bits, so no recursion can overflow. Escapes and bare control bytes of strings are
// checked here; their UTF-8 is not (`unescaped` repairs it).

import CEpoll.Kernels

/// A pull reader over one whole JSON text. Strict RFC 8259, nesting at most 64.
package struct JSONReader {
    package enum Token: Equatable {
        case objectStart, objectEnd, arrayStart, arrayEnd
        /// The inside of the quotes, still escaped. In an object a key comes as `.key`.
        case key(Range<Int>)
        case string(Range<Int>)
        case number(Range<Int>)
        case bool(Bool)
        case null
        /// The text is complete; only white space followed.
        case end
        /// Offset of the wrong byte; every later call says the same.
        case invalid(at: Int)
    }

    /// Objects and arrays inside each other.
    package static let depthMax = 64

    /// What may come next.
    private enum State {
        case value
        /// After `[`: a value or `]`.
        case valueOrEnd
        /// After `{`: a key or `}`.
        case keyOrEnd
        /// After a comma in an object.
        case key
        /// After a value inside an object or array.
        case commaOrEnd
        /// After the outermost value.
        case done
        case failed(at: Int)
    }

    private var state = State.value
    private var offset = 0
    private var depth = 0

    /// One bit per level, the innermost lowest: 1 for an object.
    private var objects: UInt64 = 0

    package init() {}

    /// The next token.
    /// - Parameter input: the whole text; the same bytes at every call.
    package mutating func next(_ input: Bytes) -> Token {
        skipBlanks(input)
        switch state {
        case .value: return value(input)
        case .valueOrEnd:
            return peek(input) == UInt8(ascii: "]") ? close(.arrayEnd) : value(input)
        case .keyOrEnd:
            return peek(input) == UInt8(ascii: "}") ? close(.objectEnd) : key(input)
        case .key: return key(input)
        case .commaOrEnd: return commaOrEnd(input)
        case .done: return offset == input.count ? .end : fail(at: offset)
        case .failed(let at): return .invalid(at: at)
        }
    }

    /// Reads past the next value.
    /// - Returns: its range; nil when it is invalid, or when no value comes next.
    package mutating func skipValue(_ input: Bytes) -> Range<Int>? {
        let outer = depth
        let first = next(input)
        var start = offset
        switch first {
        case .string(let range): return range.lowerBound - 1..<range.upperBound + 1
        case .number(let range): return range
        case .bool(let isTrue): return offset - (isTrue ? 4 : 5)..<offset
        case .null: return offset - 4..<offset
        case .objectStart, .arrayStart: start = offset - 1
        case .objectEnd, .arrayEnd, .key, .end, .invalid: return nil
        }
        while depth > outer {
            if case .invalid = next(input) { return nil }
        }
        return start..<offset
    }

    // MARK: Structure

    private mutating func value(_ input: Bytes) -> Token {
        switch peek(input) {
        case UInt8(ascii: "{"): return open(.objectStart, isObject: true)
        case UInt8(ascii: "["): return open(.arrayStart, isObject: false)
        case UInt8(ascii: "\""):
            guard let range = string(input) else { return failed }
            return finished(.string(range))
        case UInt8(ascii: "t"): return word(input, "true", .bool(true))
        case UInt8(ascii: "f"): return word(input, "false", .bool(false))
        case UInt8(ascii: "n"): return word(input, "null", .null)
        default: return number(input)
        }
    }

    private mutating func key(_ input: Bytes) -> Token {
        guard peek(input) == UInt8(ascii: "\"") else { return fail(at: offset) }
        guard let range = string(input) else { return failed }
        skipBlanks(input)
        guard peek(input) == UInt8(ascii: ":") else { return fail(at: offset) }
        offset += 1
        state = .value
        return .key(range)
    }

    private mutating func commaOrEnd(_ input: Bytes) -> Token {
        let isObject = objects & 1 == 1
        switch peek(input) {
        case UInt8(ascii: ","):
            offset += 1
            skipBlanks(input)
            return isObject ? key(input) : value(input)
        case UInt8(ascii: "}") where isObject: return close(.objectEnd)
        case UInt8(ascii: "]") where !isObject: return close(.arrayEnd)
        default: return fail(at: offset)
        }
    }

    private mutating func open(_ token: Token, isObject: Bool) -> Token {
        guard depth < Self.depthMax else { return fail(at: offset) }
        objects = objects << 1 | (isObject ? 1 : 0)
        depth += 1
        offset += 1
        state = isObject ? .keyOrEnd : .valueOrEnd
        return token
    }

    private mutating func close(_ token: Token) -> Token {
        objects >>= 1
        depth -= 1
        offset += 1
        return finished(token)
    }

    private mutating func finished(_ token: Token) -> Token {
        state = depth == 0 ? .done : .commaOrEnd
        return token
    }

    // MARK: Scalars

    private mutating func word(_ input: Bytes, _ text: StaticString, _ token: Token) -> Token {
        let end = offset + text.utf8CodeUnitCount
        guard end <= input.count else { return fail(at: offset) }
        let isSame = text.withUTF8Buffer { buffer in
            (offset..<end).allSatisfy { input[$0] == buffer[$0 - offset] }
        }
        guard isSame else { return fail(at: offset) }
        offset = end
        return finished(token)
    }

    /// RFC 8259 6: `-`, then 0 or digits without a leading 0, fraction, exponent.
    private mutating func number(_ input: Bytes) -> Token {
        let start = offset
        if peek(input) == UInt8(ascii: "-") { offset += 1 }
        if peek(input) == UInt8(ascii: "0") {
            offset += 1
        } else if !skipDigits(input) {
            return fail(at: offset)
        }
        if peek(input) == UInt8(ascii: ".") {
            offset += 1
            guard skipDigits(input) else { return fail(at: offset) }
        }
        if peek(input)?.asciiLowercased == UInt8(ascii: "e") {
            offset += 1
            if peek(input) == UInt8(ascii: "+") || peek(input) == UInt8(ascii: "-") { offset += 1 }
            guard skipDigits(input) else { return fail(at: offset) }
        }
        return finished(.number(start..<offset))
    }

    /// From one quotation mark to the other; the range between them, or nil and `.failed`.
    private mutating func string(_ input: Bytes) -> Range<Int>? {
        let start = offset + 1
        var at = start
        while true {
            at += input.withUnsafeBufferPointer { buffer in
                ck_json_find_stop(buffer.baseAddress! + at, buffer.count - at)
            }
            guard at < input.count, input[at] >= 0x20 else { break }
            if input[at] == UInt8(ascii: "\"") {
                offset = at + 1
                return start..<at
            }
            guard let length = Self.escapeLength(input, at) else { break }
            at += length
        }
        state = .failed(at: at)
        return nil
    }

    /// Length of the escape at `at`, where a backslash is; nil when it is invalid.
    private static func escapeLength(_ input: Bytes, _ at: Int) -> Int? {
        guard at + 1 < input.count else { return nil }
        switch input[at + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
            UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return 2
        case UInt8(ascii: "u"):
            guard at + 6 <= input.count else { return nil }
            return (at + 2..<at + 6).allSatisfy { input[$0].hexValue != nil } ? 6 : nil
        default: return nil
        }
    }

    // MARK: Bytes

    private func peek(_ input: Bytes) -> UInt8? { offset < input.count ? input[offset] : nil }

    private mutating func skipBlanks(_ input: Bytes) {
        while offset < input.count, input[offset].isWhitespace { offset += 1 }
    }

    private mutating func skipDigits(_ input: Bytes) -> Bool {
        let start = offset
        while offset < input.count, input[offset] &- 0x30 < 10 { offset += 1 }
        return offset > start
    }

    private mutating func fail(at: Int) -> Token {
        state = .failed(at: at)
        return .invalid(at: at)
    }

    private var failed: Token {
        guard case .failed(let at) = state else { preconditionFailure("no failure is noted") }
        return .invalid(at: at)
    }
}

// MARK: - The text of a string (RFC 8259 7)

extension JSONReader {
    /// The text of a `.string` or `.key` range, unescaped. Surrogates without a partner and invalid
    /// UTF-8 become U+FFFD.
    package static func unescaped(_ input: Bytes, _ range: Range<Int>) -> String {
        let text = input.extracting(range)
        if text.firstIndex(of: UInt8(ascii: "\\")) == nil { return text.copiedText() }
        var units: [UInt8] = []
        units.reserveCapacity(range.count)
        var at = range.lowerBound
        while at < range.upperBound {
            if input[at] == UInt8(ascii: "\\") && at + 1 < range.upperBound {
                at = unescape(input, at, range.upperBound, into: &units)
            } else {
                units.append(input[at])
                at += 1
            }
        }
        return String(decoding: units, as: UTF8.self)
    }

    /// The same as UTF-8; allocates only the result if nothing is escaped.
    package static func unescapedBytes(_ input: Bytes, _ range: Range<Int>) -> [UInt8] {
        var bytes: [UInt8] = []
        unescape(input, range, into: &bytes)
        return bytes
    }

    /// The same, in place of what `bytes` held; reuses its memory.
    package static func unescape(_ input: Bytes, _ range: Range<Int>, into bytes: inout [UInt8]) {
        bytes.removeAll(keepingCapacity: true)
        let text = input.extracting(range)
        if text.firstIndex(of: UInt8(ascii: "\\")) == nil, text.isValidUTF8 {
            text.withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
        } else {
            bytes.append(contentsOf: unescaped(input, range).utf8)
        }
    }

    /// Appends the character that the escape at `at` means; returns the offset after it.
    private static func unescape(
        _ input: Bytes, _ at: Int, _ end: Int, into units: inout [UInt8]
    ) -> Int {
        switch input[at + 1] {
        case UInt8(ascii: "b"): units.append(0x08)
        case UInt8(ascii: "f"): units.append(0x0C)
        case UInt8(ascii: "n"): units.append(0x0A)
        case UInt8(ascii: "r"): units.append(0x0D)
        case UInt8(ascii: "t"): units.append(0x09)
        case UInt8(ascii: "u"):
            guard let high = codeUnit(input, at, end) else { fallthrough }
            if let low = codeUnit(input, at + 6, end), UTF16.isLeadSurrogate(high),
                UTF16.isTrailSurrogate(low)
            {
                append(0x10000 + (UInt32(high & 0x3FF) << 10 | UInt32(low & 0x3FF)), to: &units)
                return at + 12
            }
            append(UInt32(high), to: &units)
            return at + 6
        default: units.append(input[at + 1])
        }
        return at + 2
    }

    /// The four hexadecimal digits of `\uXXXX` at `at`.
    private static func codeUnit(_ input: Bytes, _ at: Int, _ end: Int) -> UInt16? {
        guard at + 6 <= end, input[at] == UInt8(ascii: "\\"), input[at + 1] == UInt8(ascii: "u")
        else { return nil }
        var unit: UInt16 = 0
        for i in at + 2..<at + 6 {
            guard let digit = input[i].hexValue else { return nil }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }

    private static func append(_ scalar: UInt32, to units: inout [UInt8]) {
        units.append(contentsOf: String(Unicode.Scalar(scalar) ?? "\u{FFFD}").utf8)
    }
}
