// The sending half of a stream: bytes for the kernel in a chain of slabs, filled at the end and
// sent from the front; plaintext that is gathered for a record; the two marks of back pressure.
//
// Bytes stay where they are until they are sent, whatever is written after them, so a backend may
// send straight from here. An empty queue holds no slab. The queue has no descriptor, key or
// handler: `Stream` encrypts what is gathered, and hands the queue to the backend. It is a class
// because engines and backends write to it and read from it; as a constant of its stream it costs
// no retain.

/// What a stream has to send.
final class OutputQueue {
    private let pool: SlabPool
    private var chain = SlabChain()
    private(set) var bounds: StreamBounds

    /// Bytes in their form on the wire that the kernel has not taken yet.
    private(set) var byteCount = 0

    /// Bytes that the kernel has taken so far.
    private(set) var takenBytes: UInt64 = 0

    /// A backend is sending from here and has not completed the send.
    private(set) var isSending = false

    /// Plaintext not yet encrypted: less than a record, or what was written before the handshake.
    private var gathered = SlabChain()
    /// Bytes of gathered plaintext.
    private(set) var gatheredByteCount = 0

    /// The queue rose above the high mark and has not been below the low mark since; the handler
    /// waits for `streamDrained`.
    private(set) var isOverfull = false
    /// The kernel takes no more bytes.
    private(set) var isDead = false

    init(pool: SlabPool, bounds: StreamBounds = .known) {
        self.pool = pool
        self.bounds = bounds
    }

    /// Other marks hold from now on.
    func use(_ bounds: StreamBounds) { self.bounds = bounds }

    deinit {
        chain.removeAll(to: pool)
        gathered.removeAll(to: pool)
    }

    // MARK: For the kernel

    /// The slab to send from; nil when there is nothing to send.
    var first: Slab? { chain.first }

    /// Whether nothing is queued.
    var isEmpty: Bool { byteCount == 0 }

    /// Whether nothing is queued and nothing gathered.
    var hasNothing: Bool { byteCount == 0 && gatheredByteCount == 0 }

    /// Memory after the last byte, at least one byte of it; `commit` follows.
    func reserve() -> UnsafeMutableBufferPointer<UInt8> {
        let slab: Slab
        if let last = chain.last, last.room > 0 {
            slab = last
        } else {
            slab = bounds.usesSmallSlabs ? pool.takeSmall() : pool.take()
            chain.append(slab)
        }
        return UnsafeMutableBufferPointer(start: slab.payload + slab.end, count: slab.room)
    }

    /// Puts the first `count` bytes of what `reserve` returned into the queue.
    func commit(_ count: Int) {
        guard let last = chain.last else { return }
        last.end += count
        byteCount += count
    }

    /// Copies `bytes` to the end.
    /// - Parameter isSecret: what they are copied to is wiped when it has been sent.
    func append(_ bytes: UnsafeRawBufferPointer, isSecret: Bool = false) {
        var offset = 0
        while offset < bytes.count {
            let room = reserve()
            if isSecret { chain.last?.holdsSecret = true }
            let count = min(room.count, bytes.count - offset)
            UnsafeMutableRawBufferPointer(room).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
            commit(count)
            offset += count
        }
    }

    /// A backend sends from here until `consume` or `removeAll`.
    func beginSending() { isSending = true }

    /// The kernel has taken `count` bytes. Slabs that are used up go back to the pool.
    func consume(_ count: Int) {
        precondition(count <= byteCount)
        isSending = false
        byteCount -= count
        takenBytes += UInt64(count)
        var left = count
        while let slab = chain.first, left >= slab.count {
            left -= slab.count
            _ = chain.popFirst()
            pool.give(back: slab)
        }
        if left > 0, let slab = chain.first { slab.start += left }
    }

    /// Whether the peer has certainly acknowledged none of the bytes from `start` on. False when that
    /// is not known, because a send of unknown outcome is in progress or the kernel does not say.
    /// - Parameter count: bytes that the kernel has taken and the peer has not acknowledged.
    func isUnacknowledged(from start: UInt64, count: Int) -> Bool {
        guard !isSending, count < .max, UInt64(count) <= takenBytes else { return false }
        return takenBytes - UInt64(count) <= start
    }

    /// How many bytes the peer has acknowledged, but for those of a send whose outcome is not known;
    /// nil when the kernel does not say.
    /// - Parameter count: bytes that the kernel has taken and the peer has not acknowledged.
    func acknowledgedCount(_ count: Int) -> Int? {
        count < .max ? Int(truncatingIfNeeded: takenBytes) &- count : nil
    }

    /// Gives everything back; no backend may be sending from here.
    func removeAll() {
        chain.removeAll(to: pool)
        byteCount = 0
        isSending = false
    }

    /// The kernel has refused: nothing in the queue will be sent.
    func die() {
        removeAll()
        isDead = true
    }

    // MARK: Gathered plaintext

    /// Copies plaintext from `offset` on, and moves `offset` to the end of what was copied.
    /// - Parameters:
    ///   - isSealing: what is gathered may be encrypted now.
    ///   - isSecret: the copy is wiped when it has been encrypted.
    /// - Returns: false when a full record must be encrypted before the rest can be gathered.
    @inline(__always)
    func gather(
        _ bytes: UnsafeRawBufferPointer, from offset: inout Int, isSealing: Bool, isSecret: Bool
    ) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        while offset < bytes.count {
            let slab: Slab
            if let last = gathered.last, last.end < Stream.recordBytesMax {
                slab = last
            } else {
                if isSealing, !gathered.isEmpty { return false }
                slab = pool.take()
                gathered.append(slab)
            }
            if isSecret { slab.holdsSecret = true }
            let count = min(Stream.recordBytesMax - slab.end, bytes.count - offset)
            UnsafeMutableRawPointer(slab.payload + slab.end).copyMemory(
                from: base + offset, byteCount: count)
            slab.end += count
            gatheredByteCount += count
            offset += count
        }
        return true
    }

    /// The oldest gathered record, which the caller encrypts and gives back to its pool.
    func popGathered() -> Slab? {
        guard let slab = gathered.popFirst() else { return nil }
        gatheredByteCount -= slab.count
        return slab
    }

    /// Throws away what is gathered.
    func discardGathered() {
        gathered.removeAll(to: pool)
        gatheredByteCount = 0
    }

    // MARK: Marks

    /// Bytes for the kernel, and plaintext that waits for encryption.
    var queuedBytes: Int { byteCount + gatheredByteCount }
    /// What the marks are compared with: the queued bytes, and the memory in front of them that
    /// goes free with the last byte of its slab. So the marks bound memory, whatever part of a slab
    /// the peer has taken.
    private var occupiedBytes: Int { queuedBytes + (chain.first?.start ?? 0) }
    /// The queue is above the high mark.
    var isAboveHighWater: Bool { occupiedBytes > bounds.outputHighWater }
    /// The queue was above the high mark, is below the low mark now, and can be filled again.
    var isDrained: Bool { isOverfull && occupiedBytes < bounds.outputLowWater && !isDead }

    /// Something was written or sealed, by the owner or by TLS itself.
    /// - Returns: whether the queue is above the high mark.
    func noteWritten() -> Bool {
        guard isAboveHighWater else { return false }
        isOverfull = true
        return true
    }

    /// The handler is about to be told that it may write again.
    func noteDrained() { isOverfull = false }
}
