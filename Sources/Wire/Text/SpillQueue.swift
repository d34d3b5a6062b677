// A few bytes that a transform has made and that had no room in the region.
//
// With it, every transform works with regions of one byte: it makes a whole character, escape or
// quad, which then leaves byte by byte. Fixed size, no allocation.

/// First in, first out, at most sixteen bytes between two drains.
struct SpillQueue {
    private var storage: (UInt64, UInt64) = (0, 0)
    private var head = 0
    private var tail = 0

    var isEmpty: Bool { head == tail }

    /// Lets `body` write after the waiting bytes; it returns how many bytes it wrote, at most
    /// `room`.
    mutating func append(room: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Int) {
        precondition(tail + room <= 16)
        let at = tail
        tail += withUnsafeMutableBytes(of: &storage) { bytes in
            body(bytes.baseAddress!.assumingMemoryBound(to: UInt8.self) + at)
        }
    }

    mutating func append(_ byte: UInt8) {
        append(room: 1) { memory in
            memory[0] = byte
            return 1
        }
    }

    /// Writes the waiting bytes; false when the region was full before all of them were written.
    mutating func drain(into output: inout Region) -> Bool {
        while head < tail {
            guard output.room > 0 else { return false }
            output.append(withUnsafeBytes(of: storage) { $0[head] })
            head += 1
        }
        head = 0
        tail = 0
        return true
    }
}
