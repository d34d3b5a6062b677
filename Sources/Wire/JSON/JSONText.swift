// JSON text built in an array, where it is built once and speed is no matter: the sandbox's answers
// and what `explain` prints. The byte path writes through `JSONSink`.

extension [UInt8] {
    /// Appends `text` as it is.
    package mutating func append(text: String) { append(contentsOf: text.utf8) }

    /// Appends a copy of `bytes`.
    package mutating func append(bytes: Bytes) {
        bytes.withUnsafeBufferPointer { append(contentsOf: $0) }
    }

    /// Appends `text` as a JSON string with its quotes.
    package mutating func append(jsonString text: String) {
        let source = Array(text.utf8)
        append(jsonString: source.span)
    }

    /// Appends `text` as a JSON string with its quotes; what is not UTF-8 becomes U+FFFD.
    package mutating func append(jsonString text: Bytes) {
        var escaper = JSONEscaper()
        var offset = 0
        var isFinished = false
        append(0x22)
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 1_024) { memory in
            while !isFinished {
                var region = Region(memory)
                offset += escaper.feed(text.extracting(offset..<text.count), into: &region)
                if offset == text.count { isFinished = escaper.finish(into: &region) }
                append(bytes: region.bytes)
            }
        }
        append(0x22)
    }

    /// Appends a JSON array; `each` appends one element.
    package mutating func append<Item>(
        jsonArray elements: some Sequence<Item>, each: (inout [UInt8], Item) -> Void
    ) {
        append(0x5B)
        var isFirst = true
        for element in elements {
            if !isFirst { append(0x2C) }
            isFirst = false
            each(&self, element)
        }
        append(0x5D)
    }
}
