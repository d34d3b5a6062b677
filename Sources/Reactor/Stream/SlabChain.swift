// Slabs in a row, first in, first out: a queue of bytes without an allocation of its own.
//
// The chain owns its slabs. It must be emptied (popped, or `removeAll(to:)`) before it goes away.

/// A singly linked queue of slabs, linked through the slabs' own headers.
public struct SlabChain: ~Copyable {
    private var head: UnsafeMutableRawPointer?
    private var tail: UnsafeMutableRawPointer?

    /// Slabs in the chain.
    public private(set) var slabCount = 0

    /// An empty chain.
    public init() {}

    /// Whether there is no slab.
    public var isEmpty: Bool { head == nil }

    /// The oldest slab; still owned by the chain.
    public var first: Slab? { head.map(Slab.init(base:)) }

    /// The youngest slab; still owned by the chain.
    public var last: Slab? { tail.map(Slab.init(base:)) }

    /// The slab after `slab`, which must be in this chain.
    public func slab(after slab: Slab) -> Slab? { slab.next }

    /// Sum of the bytes in use; linear in the number of slabs.
    public var byteCount: Int {
        var sum = 0
        var cursor = first
        while let slab = cursor {
            sum += slab.count
            cursor = self.slab(after: slab)
        }
        return sum
    }

    /// Takes ownership of `slab` and appends it.
    public mutating func append(_ slab: Slab) {
        slab.header.pointee.next = nil
        if let tail {
            Slab(base: tail).header.pointee.next = slab.base
        } else {
            head = slab.base
        }
        tail = slab.base
        slabCount += 1
    }

    /// Appends all slabs of `other`, which is empty afterwards.
    public mutating func append(contentsOf other: inout SlabChain) {
        while let slab = other.popFirst() { append(slab) }
    }

    /// Removes the oldest slab; the caller owns it then.
    public mutating func popFirst() -> Slab? {
        guard let first = head else { return nil }
        head = Slab(base: first).header.pointee.next
        if head == nil { tail = nil }
        slabCount -= 1
        return Slab(base: first)
    }

    /// Gives every slab back to `pool`.
    public mutating func removeAll(to pool: SlabPool) {
        while let slab = popFirst() { pool.give(back: slab) }
    }
}
