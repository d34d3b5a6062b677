// Writes a JSON document key by key (RFC 8259); commas and quotes come by themselves.
//
// For answers of the admin listener and the sandbox, which are built once and in memory. Messages
// are written through `JSONWriter` and `JSONEscaper` instead.

/// A document under construction.
package struct JSONDocument {
    package private(set) var bytes: [UInt8] = []
    /// Whether a value comes before the next one in its object or array.
    private var needsComma = false

    package init() {}

    /// The bytes of a document that is one object.
    package static func object(_ fill: (inout JSONDocument) -> Void) -> [UInt8] {
        var document = JSONDocument()
        document.object(nil, fill)
        return document.bytes
    }

    /// An object, as the value of `key` or as an element of an array.
    package mutating func object(
        _ key: String? = nil, _ fill: (inout JSONDocument) -> Void
    ) {
        nest(key, 0x7B, 0x7D, fill)
    }

    /// An array, as the value of `key` or as an element of an array.
    package mutating func array(
        _ key: String? = nil, _ fill: (inout JSONDocument) -> Void
    ) {
        nest(key, 0x5B, 0x5D, fill)
    }

    package mutating func field(_ key: String, _ value: String) {
        begin(key)
        bytes.append(jsonString: value)
    }

    package mutating func field(_ key: String, _ value: Int) {
        begin(key)
        bytes.append(text: "\(value)")
    }

    package mutating func field(_ key: String, _ value: UInt64) {
        begin(key)
        bytes.append(text: "\(value)")
    }

    package mutating func field(_ key: String, _ value: Bool) {
        begin(key)
        bytes.append(text: value ? "true" : "false")
    }

    /// A value that is JSON text already; it is written as it is.
    package mutating func field(_ key: String, json value: [UInt8]) {
        begin(key)
        bytes += value
    }

    package mutating func field(_ key: String, _ values: [String]) {
        array(key) { list in
            for value in values { list.element(value) }
        }
    }

    package mutating func null(_ key: String) {
        begin(key)
        bytes.append(text: "null")
    }

    /// An element of an array.
    package mutating func element(_ value: Int) {
        begin(nil)
        bytes.append(text: "\(value)")
    }

    package mutating func element(_ value: String) {
        begin(nil)
        bytes.append(jsonString: value)
    }

    private mutating func nest(
        _ key: String?, _ open: UInt8, _ close: UInt8, _ fill: (inout JSONDocument) -> Void
    ) {
        begin(key)
        bytes.append(open)
        needsComma = false
        fill(&self)
        bytes.append(close)
        needsComma = true
    }

    private mutating func begin(_ key: String?) {
        if needsComma { bytes.append(0x2C) }
        needsComma = true
        guard let key else { return }
        bytes.append(jsonString: key)
        bytes.append(0x3A)
    }
}
