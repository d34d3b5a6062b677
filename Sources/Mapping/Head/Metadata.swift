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

    /// Adds the members of a JSON object.
    /// - Returns: nil, or why `text` is no JSON object: "not a JSON object at byte 0".
    mutating func add(object text: Bytes) -> String? {
        if let fault = Self.fault(inObject: text) { return fault }
        var reader = JSONReader()
        _ = reader.next(text)
        while case .key(let key) = reader.next(text), let value = reader.skipValue(text) {
            set(
                JSONReader.unescapedBytes(text, key),
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
        return JSONReader.unescapedBytes(value, 1..<value.count - 1)
    }
}
