// The sending half of a stream: bytes for the kernel, plaintext that is gathered for a record, and
// the two marks.
//
// A value without a descriptor, a key or a handler: `Stream` encrypts what is gathered and hands
// the queue to the backend. Plaintext streams use the queue alone.

/// What a stream has to send.
struct SendSide: ~Copyable {
    /// Bytes as they go over the wire.
    let output: OutputQueue
    /// More was queued than the high mark allows, and the queue has not been below the low mark
    /// since; the handler waits for `streamDrained`.
    private(set) var isOverfull = false
    /// The kernel takes no more bytes.
    private(set) var isDead = false
    /// Plaintext not yet encrypted: less than a record, or what was written before the handshake.
    private var gathered = SlabChain()
    private var gatheredByteCount = 0

    init(pool: SlabPool) { output = OutputQueue(pool: pool) }

    /// Bytes (ciphertext) for the kernel, and plaintext that waits for encryption.
    var byteCount: Int { output.byteCount + gatheredByteCount }
    /// The queue is below the low mark, after it was above the high one, and can be filled again.
    var isDrained: Bool { isOverfull && byteCount < Stream.lowWater && !isDead }
    /// What is gathered last is a full record.
    var hasFullRecord: Bool { gathered.last.map { $0.end >= Stream.recordBytesMax } ?? false }

    /// Something was written.
    /// - Returns: whether the queue is above the high mark.
    mutating func noteWritten() -> Bool {
        guard byteCount > Stream.highWater else { return false }
        isOverfull = true
        return true
    }

    /// The handler is about to be told that it may write again.
    mutating func noteDrained() { isOverfull = false }

    /// Copies plaintext, up to the end of a record.
    /// - Returns: how many of the bytes.
    mutating func gather(_ bytes: UnsafeRawBufferPointer) -> Int {
        let slab: Slab
        if let last = gathered.last, last.end < Stream.recordBytesMax {
            slab = last
        } else {
            slab = output.pool.take()
            gathered.append(slab)
        }
        let count = min(Stream.recordBytesMax - slab.end, bytes.count)
        UnsafeMutableRawBufferPointer(start: slab.payload + slab.end, count: count).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        slab.end += count
        gatheredByteCount += count
        return count
    }

    /// The oldest gathered record, which the caller encrypts and gives back to its pool.
    mutating func popGathered() -> Slab? {
        guard let slab = gathered.popFirst() else { return nil }
        gatheredByteCount -= slab.count
        return slab
    }

    /// Throws away what is gathered.
    mutating func discardGathered() {
        gathered.removeAll(to: output.pool)
        gatheredByteCount = 0
    }

    /// The kernel has refused: nothing that is queued will leave.
    mutating func die() {
        output.removeAll()
        isDead = true
    }
}
