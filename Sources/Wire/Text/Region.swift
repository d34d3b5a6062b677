// Writing bytes into memory of somebody else's.
//
// Transforms push: they write into a region until the input is used up or the region is full, and
// say how much of the input they took. The caller hands the next region and calls again.

/// Start, end, how far: a stretch of the caller's memory that a transform fills from the front.
package struct Region: ~Copyable {
    @usableFromInline let base: UnsafeMutablePointer<UInt8>

    /// Bytes that fit in all.
    package let capacity: Int

    /// Bytes written so far.
    package private(set) var count: Int

    /// - Parameter memory: writable until the region is gone; the caller keeps owning it.
    package init(_ memory: UnsafeMutableBufferPointer<UInt8>) {
        precondition(memory.baseAddress != nil)
        base = memory.baseAddress!
        capacity = memory.count
        count = 0
    }

    /// Bytes that still fit.
    package var room: Int { capacity - count }

    /// Writes one byte; there must be room.
    package mutating func append(_ byte: UInt8) {
        precondition(count < capacity)
        base[count] = byte
        count &+= 1
    }

    /// Writes as much of `bytes` as fits; returns how much that was.
    @discardableResult
    package mutating func append(_ bytes: Bytes) -> Int {
        let length = min(bytes.count, room)
        bytes.withUnsafeBufferPointer { source in
            if length > 0 { (base + count).update(from: source.baseAddress!, count: length) }
        }
        count &+= length
        return length
    }

    /// Writes all of `text`, or nothing and false when it does not fit.
    package mutating func append(_ text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard length <= room else { return false }
        text.withUTF8Buffer { source in
            if length > 0 { (base + count).update(from: source.baseAddress!, count: length) }
        }
        count &+= length
        return true
    }

    /// Lets a kernel write into the free part; `body` returns how many bytes it wrote.
    package mutating func withRoom(_ body: (UnsafeMutablePointer<UInt8>, Int) -> Int) {
        let written = body(base + count, room)
        precondition(written >= 0 && written <= room)
        count &+= written
    }

    /// Forgets what was written behind the first `length` bytes.
    package mutating func truncate(to length: Int) {
        precondition(length >= 0 && length <= count)
        count = length
    }

    /// What was written so far; valid until the next write.
    package var bytes: Bytes {
        @_lifetime(borrow self)
        get {
            let span = UnsafeBufferPointer(start: UnsafePointer(base), count: count).span
            return _overrideLifetime(span, borrowing: self)
        }
    }
}
