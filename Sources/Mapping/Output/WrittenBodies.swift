// Bodies that went into the request before the message was complete, and what undoes that.
//
// A text of an alternative is written as soon as it has something to see. A later part may stand for
// the same words, or show that the text is only a part of its body. While no byte of the request can
// have left, the field is cut out again, or its text is read back.

import APIClient
import Wire

/// One value for `text_body` and one for `html_body`.
struct PerBody<Value> {
    var text: Value?
    var html: Value?

    subscript(isHTML isHTML: Bool) -> Value? {
        get { isHTML ? html : text }
        set { if isHTML { html = newValue } else { text = newValue } }
    }
}

/// Where such fields are in one request after the other.
struct WrittenBodies {
    /// Offsets from the comma before the key to the quote after the text.
    private var places = PerBody<Range<Int>>()
    /// The longest that the request was before something was cut out.
    private var bytesMax = 0

    /// Whether the request has never been longer than `bytes`.
    func isWithin(_ bytes: Int, _ request: RequestBody) -> Bool {
        max(bytesMax, request.byteCount) <= bytes
    }

    /// A field begins at the end of the request. The one with the same key goes.
    mutating func begin(isHTML: Bool, in request: RequestBody) {
        remove(isHTML: isHTML, from: request)
        places[isHTML: isHTML] = request.byteCount..<request.byteCount
    }

    /// The field is complete.
    mutating func end(isHTML: Bool, in request: RequestBody) {
        guard let start = places[isHTML: isHTML]?.lowerBound else { return }
        places[isHTML: isHTML] = start..<request.byteCount
    }

    /// Cuts a complete field out, if there is one.
    mutating func remove(isHTML: Bool, from request: RequestBody) {
        guard let place = places[isHTML: isHTML] else { return }
        bytesMax = max(bytesMax, request.byteCount)
        request.cut(place)
        places[isHTML: isHTML] = nil
        if let other = places[isHTML: !isHTML], other.lowerBound >= place.upperBound {
            let start = other.lowerBound - place.count
            places[isHTML: !isHTML] = start..<start + other.count
        }
    }

    /// Gives `take` the text of a complete field, piece by piece: valid UTF-8, line ends as LF.
    func read(isHTML: Bool, from request: RequestBody, _ take: (Bytes) -> Void) {
        guard let place = places[isHTML: isHTML] else { return }
        var offset = place.lowerBound + Self.opening(isHTML: isHTML).utf8CodeUnitCount
        let end = place.upperBound - 1
        var remover = EscapeRemover()
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4_096) { escaped in
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4_096) { unescaped in
                while offset < end {
                    var field = Region(escaped)
                    var text = Region(unescaped)
                    request.read(at: offset, into: &field)
                    guard field.count > 0 else { return }
                    field.truncate(to: min(field.count, end - offset))
                    offset += field.count
                    remover.feed(field.bytes, into: &text)
                    take(text.bytes)
                }
            }
        }
    }

    /// What such a field begins with.
    static func opening(isHTML: Bool) -> StaticString {
        isHTML ? ",\"html_body\":\"" : ",\"text_body\":\""
    }
}

/// Undoes the escapes of `JSONEscaper`; resumable at any byte.
struct EscapeRemover {
    /// Bytes of the current escape so far.
    private var escapeCount = 0
    /// What its hexadecimal digits say so far. `JSONEscaper` needs them for control bytes only.
    private var unit: UInt8 = 0

    /// - Parameter output: has room for as many bytes as `input` has.
    mutating func feed(_ input: Bytes, into output: inout Region) {
        for index in 0..<input.count {
            if let byte = take(input[index]) { output.append(byte) }
        }
    }

    private mutating func take(_ byte: UInt8) -> UInt8? {
        switch escapeCount {
        case 0:
            guard byte == UInt8(ascii: "\\") else { return byte }
            escapeCount = 1
            return nil
        case 1:
            guard byte == UInt8(ascii: "u") else {
                escapeCount = 0
                return Self.meaning(of: byte)
            }
            unit = 0
        default: unit = unit << 4 | (byte.hexValue ?? 0)
        }
        escapeCount += 1
        guard escapeCount == 6 else { return nil }
        escapeCount = 0
        return unit
    }

    private static func meaning(of byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: byte
        }
    }
}
