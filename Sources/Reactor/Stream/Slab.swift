// Fixed-size blocks of memory for bytes on their way from one socket to another.
//
// A slab has one owner at a time. The owner passes it on (to a chain, a queue) or gives it back to
// the pool of its loop. It is a plain pointer, so passing it costs nothing; the pool counts the
// slabs that are out, and the tests check that this count is zero at the end. A slab never crosses
// threads. A slab that held a secret is wiped before it is used again.

import Glibc

/// One block from a `SlabPool`: a small header, then the payload, `Slab.capacity` bytes of a usual
/// one and `Slab.smallCapacity` of a small one.
///
/// The bytes in use are `start..<end` of the payload. Room may be left in front of `start`, so that
/// a head or a chunk size can be put there later without moving anything.
public struct Slab {
    /// Bytes of payload: one full TLS record (2^14) plus room for its framing.
    public static let capacity = 16_384 + 256
    /// Bytes of payload of a small slab: as much as a stranger's receive brings.
    public static let smallCapacity = 4_096

    struct Header {
        var next: UnsafeMutableRawPointer?
        var start: Int32
        var end: Int32
        var capacity: Int32
        var holdsSecret: Bool
    }
    /// The header's place; the payload is aligned to 16 bytes after it.
    static let headerBytes = 32

    let base: UnsafeMutableRawPointer

    init(base: UnsafeMutableRawPointer) { self.base = base }

    var header: UnsafeMutablePointer<Header> {
        base.assumingMemoryBound(to: Header.self)
    }

    /// The whole payload; valid while the caller owns the slab.
    public var payload: UnsafeMutablePointer<UInt8> {
        (base + Slab.headerBytes).assumingMemoryBound(to: UInt8.self)
    }

    /// Bytes of payload.
    var capacity: Int { Int(header.pointee.capacity) }

    /// Something in the payload, up to `end`, must not stay in memory (an API key, a password).
    /// Its writer sets this; the pool wipes the slab when it is given back.
    public var holdsSecret: Bool {
        get { header.pointee.holdsSecret }
        nonmutating set { header.pointee.holdsSecret = newValue }
    }

    /// Overwrites everything up to `end`.
    func wipe() { explicit_bzero(payload, end) }

    /// Offset in the payload of the first byte in use.
    public var start: Int {
        get { Int(header.pointee.start) }
        nonmutating set {
            assert(newValue >= 0 && newValue <= end)
            header.pointee.start = Int32(truncatingIfNeeded: newValue)
        }
    }

    /// Offset in the payload one past the last byte in use.
    public var end: Int {
        get { Int(header.pointee.end) }
        nonmutating set {
            assert(newValue >= start && newValue <= capacity)
            header.pointee.end = Int32(truncatingIfNeeded: newValue)
        }
    }

    /// Bytes in use.
    public var count: Int { end - start }

    /// Bytes free after `end`.
    public var room: Int { capacity - end }

    /// The next slab in its chain.
    public var next: Slab? { header.pointee.next.map(Slab.init(base:)) }

    /// Sets both marks: an empty slab whose first byte will be at `offset`.
    public func reset(at offset: Int) {
        precondition(offset >= 0 && offset <= capacity)
        if holdsSecret { wipe() }
        header.pointee.start = Int32(offset)
        header.pointee.end = Int32(offset)
    }

    /// The bytes in use; valid while the caller owns the slab and does not change it.
    public var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            let span = UnsafeBufferPointer(start: payload + start, count: count).span
            return _overrideLifetime(span, borrowing: self)
        }
    }
}

/// The slabs of one loop: free ones are kept (up to a bound) and handed out again.
public final class SlabPool {
    private var free: UnsafeMutableRawPointer?
    private var freeSmall: UnsafeMutableRawPointer?
    /// Slabs kept for reuse, and those of them that are small.
    private(set) var freeCount = 0
    private(set) var freeSmallCount = 0
    private let freeCountMax: Int

    /// Slabs handed out and not given back.
    public private(set) var outstanding = 0

    /// - Parameter freeCountMax: free slabs of each size kept for reuse; more go back to the heap.
    public init(freeCountMax: Int = 256) { self.freeCountMax = freeCountMax }

    deinit {
        for list in [free, freeSmall] {
            var next = list
            while let base = next {
                next = Slab(base: base).header.pointee.next
                base.deallocate()
            }
        }
    }

    /// A slab with `start == end == 0`; the caller owns it.
    public func take() -> Slab {
        outstanding += 1
        let base: UnsafeMutableRawPointer
        if let first = free {
            base = first
            free = Slab(base: first).header.pointee.next
            freeCount -= 1
        } else {
            base = UnsafeMutableRawPointer.allocate(
                byteCount: Slab.headerBytes + Slab.capacity, alignment: 64)
        }
        return SlabPool.fresh(base, Slab.capacity)
    }

    /// A small slab with `start == end == 0`; the caller owns it.
    func takeSmall() -> Slab {
        outstanding += 1
        let base: UnsafeMutableRawPointer
        if let first = freeSmall {
            base = first
            freeSmall = Slab(base: first).header.pointee.next
            freeCount -= 1
            freeSmallCount -= 1
        } else {
            base = UnsafeMutableRawPointer.allocate(
                byteCount: Slab.headerBytes + Slab.smallCapacity, alignment: 16)
        }
        return SlabPool.fresh(base, Slab.smallCapacity)
    }

    private static func fresh(_ base: UnsafeMutableRawPointer, _ capacity: Int) -> Slab {
        let slab = Slab(base: base)
        slab.header.initialize(
            to: Slab.Header(
                next: nil, start: 0, end: 0, capacity: Int32(capacity), holdsSecret: false))
        return slab
    }

    /// Takes the slab back, and wipes it if it held a secret; the caller must not touch it again.
    public func give(back slab: Slab) {
        outstanding -= 1
        assert(outstanding >= 0)
        if slab.holdsSecret { slab.wipe() }
        if slab.capacity == Slab.smallCapacity { return keepSmall(slab) }
        if freeCount - freeSmallCount < freeCountMax {
            slab.header.pointee.next = free
            free = slab.base
            freeCount += 1
        } else {
            slab.base.deallocate()
        }
    }

    private func keepSmall(_ slab: Slab) {
        guard freeSmallCount < freeCountMax else { return slab.base.deallocate() }
        slab.header.pointee.next = freeSmall
        freeSmall = slab.base
        freeCount += 1
        freeSmallCount += 1
    }
}
