// X-Postscale-Metadata and X-Postscale-Variables: JSON that a sender wrote into a header.
//
// The API wants metadata as strings, so any other value is sent as its JSON text. A key that comes
// twice, in one header or in several, gets its last value. A fault says where the JSON is bad.

import Wire

/// The metadata of one message: keys in the order of their first appearance, each once.
struct Metadata {
    private(set) var keys: [[UInt8]] = []
    private(set) var values: [[UInt8]] = []
    private var numbers: [[UInt8]: Int] = [:]

    var isEmpty: Bool { keys.isEmpty }

    /// Sets one member; the last value of a key counts.
    mutating func set(_ key: [UInt8], to value: [UInt8]) {
        if let number = numbers[key] {
            values[number] = value
        } else {
            numbers[key] = keys.count
            keys.append(key)
            values.append(value)
        }
    }

    /// Sets one member, unless there is one of this key.
    mutating func setIfAbsent(_ key: [UInt8], to value: [UInt8]) {
        if numbers[key] == nil { set(key, to: value) }
    }

    /// Adds the members of `other` whose keys are new.
    mutating func add(new other: Metadata) {
        for index in other.keys.indices { setIfAbsent(other.keys[index], to: other.values[index]) }
    }

    /// Adds the members of a JSON object.
    /// - Returns: nil, or why `text` is no JSON object: "not a JSON object at byte 0".
    mutating func add(object text: Bytes) -> String? {
        if let fault = Self.fault(inObject: text) { return fault }
        var reader = JSONReader()
        _ = reader.next(text)
        while case .key(let key) = reader.next(text), let value = reader.skipValue(text) {
            set(
                Self.clean(JSONReader.unescapedBytes(text, key)),
                to: Self.text(ofValue: text.extracting(text.trimmed(value))))
        }
        return nil
    }

    /// Why `text` is not one JSON object and nothing else; nil when it is.
    static func fault(inObject text: Bytes) -> String? {
        var reader = JSONReader()
        switch reader.next(text) {
        case .objectStart: break
        case .invalid(let at): return "invalid JSON at byte \(at)"
        default: return "not a JSON object at byte 0"
        }
        while true {
            switch reader.next(text) {
            case .end: return nil
            case .invalid(let at): return "invalid JSON at byte \(at)"
            default: continue
            }
        }
    }

    /// The text of a string, the JSON text of everything else.
    private static func text(ofValue value: Bytes) -> [UInt8] {
        guard value.count >= 2, value[0] == 0x22 else { return value.copied() }
        return clean(JSONReader.unescapedBytes(value, 1..<value.count - 1))
    }

    /// A copy of a valid JSON text whose strings have no control characters but the tab and line
    /// ends; nil when it is that already.
    static func withoutControls(inJSON text: Bytes) -> [UInt8]? {
        guard text.firstIndex(of: UInt8(ascii: "\\")) != nil else { return nil }
        var result: [UInt8] = []
        var index = 0
        while index < text.count {
            let length = text[index] != UInt8(ascii: "\\") ? 1 : text[index + 1] == 0x75 ? 6 : 2
            let piece = text.extracting(index..<index + length)
            if length > 1, isControl(escape: piece) {
                result.append(0x20)
            } else {
                result.append(bytes: piece)
            }
            index += length
        }
        return result
    }

    /// Whether an escape of JSON says a control character that no field has.
    private static func isControl(escape: Bytes) -> Bool {
        guard escape.count == 6 else { return escape[1] == 0x62 || escape[1] == 0x66 }
        var unit: UInt16 = 0
        for index in 2..<6 { unit = unit << 4 | UInt16(escape[index].hexValue ?? 0) }
        return unit < 0x20 && unit != 0x09 && unit != 0x0A && unit != 0x0D
            || unit >= 0x7F && unit < 0xA0
    }

    /// Escapes of JSON can say control characters, which no field has but the tab and line ends:
    /// they become blanks.
    static func clean(_ text: [UInt8]) -> [UInt8] {
        let isControl: (UInt8) -> Bool = { $0 < 0x20 && !$0.isWhitespace || $0 == 0x7F }
        guard text.contains(where: { isControl($0) || $0 == 0xC2 }) else { return text }
        var result = text
        for index in text.indices {
            let isWide =
                text[index] == 0xC2 && index + 1 < text.count && text[index + 1] < 0xA0
            if isControl(text[index]) || isWide { result[index] = 0x20 }
            if isWide { result[index + 1] = 0x20 }
        }
        return result
    }
}
