// The fields of the heads that one `receive` has brought, in one piece of memory that is used again.

import Wire

/// Names and values, one after the other.
struct HeadArena {
    private var bytes: [UInt8] = []
    private var entries: [(nameStart: Int, nameEnd: Int, valueEnd: Int)] = []
    private var blockStart = 0
    /// Size of the block that is being read, as RFC 9113 section 6.5.2 counts it.
    private(set) var blockBytes = 0
    /// The value of `:status` in the block; 0 without it.
    private(set) var status = 0

    var byteCount: Int { bytes.count }
    /// The fields of the block.
    var blockFields: Range<Int> { blockStart..<entries.count }
    var memory: [UInt8] { bytes }
    /// A header block has begun and is not complete.
    private var isInBlock = false

    /// Forgets all heads that are complete.
    mutating func removeComplete() {
        guard isInBlock else {
            bytes.removeAll(keepingCapacity: true)
            entries.removeAll(keepingCapacity: true)
            blockStart = 0
            return
        }
        guard blockStart > 0 else { return }
        let start = entries[blockStart - 1].valueEnd
        bytes.removeFirst(start)
        entries.removeFirst(blockStart)
        for index in entries.indices {
            entries[index].nameStart -= start
            entries[index].nameEnd -= start
            entries[index].valueEnd -= start
        }
        blockStart = 0
    }

    /// The header block is complete.
    mutating func end() { isInBlock = false }

    /// A header block begins.
    mutating func begin() {
        isInBlock = true
        blockStart = entries.count
        blockBytes = 0
        status = 0
    }

    mutating func append(_ name: Bytes, _ value: Bytes) {
        let start = bytes.count
        bytes.append(bytes: name)
        let nameEnd = bytes.count
        bytes.append(bytes: value)
        entries.append((start, nameEnd, bytes.count))
        blockBytes += name.count + value.count + 32
        if name.equalsIgnoringCase(":status"), value.count == 3 {
            status = (0..<3).reduce(0) { $0 * 10 + Int(value[$1] &- 0x30) }
        }
    }

    subscript(index: Int) -> (name: Range<Int>, value: Range<Int>) {
        let entry = entries[index]
        return (entry.nameStart..<entry.nameEnd, entry.nameEnd..<entry.valueEnd)
    }

    func find(_ name: StaticString, in range: Range<Int>) -> Range<Int>? {
        let index = range.first {
            bytes.span.extracting(self[$0].name).equalsIgnoringCase(name)
        }
        return index.map { self[$0].value }
    }
}
