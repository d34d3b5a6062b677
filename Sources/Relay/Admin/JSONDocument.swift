// Writes a JSON document key by key; commas and quotes come by themselves.

/// A document under construction.
struct JSONDocument {
    private(set) var bytes: [UInt8] = []
    /// Whether something stands in front of the next value in its object or array.
    private var needsComma = false

    mutating func object(_ key: String? = nil, _ fill: (inout JSONDocument) -> Void) {
        nest(key, 0x7B, 0x7D, fill)
    }

    mutating func array(_ key: String? = nil, _ fill: (inout JSONDocument) -> Void) {
        nest(key, 0x5B, 0x5D, fill)
    }

    mutating func field(_ key: String, _ value: String) {
        begin(key)
        bytes.append(jsonString: value)
    }

    mutating func field(_ key: String, _ value: Int) {
        begin(key)
        bytes.append(text: "\(value)")
    }

    mutating func field(_ key: String, _ value: UInt64) {
        begin(key)
        bytes.append(text: "\(value)")
    }

    mutating func field(_ key: String, _ value: Bool) {
        begin(key)
        bytes.append(text: value ? "true" : "false")
    }

    mutating func null(_ key: String) {
        begin(key)
        bytes.append(text: "null")
    }

    /// An element of an array.
    mutating func element(_ value: Int) {
        begin(nil)
        bytes.append(text: "\(value)")
    }

    mutating func element(_ value: String) {
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
