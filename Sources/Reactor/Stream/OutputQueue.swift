// Bytes on their way to the kernel: slabs in a row, filled at the end, sent from the front.
//
// What is in use stays where it is until it is sent, whatever is written after it, so a backend
// may send straight from here. An empty queue holds no slab.

/// The bytes that a stream has for the kernel, as they go over the wire.
final class OutputQueue {
    /// Where the slabs come from.
    let pool: SlabPool
    private var chain = SlabChain()

    /// Bytes not yet taken by the kernel.
    private(set) var byteCount = 0

    /// Bytes that the kernel has taken so far.
    private(set) var takenBytes: UInt64 = 0

    /// A backend is sending from here, and its completion has not come.
    private(set) var isSending = false

    init(pool: SlabPool) { self.pool = pool }

    deinit { chain.removeAll(to: pool) }

    /// The slab to send from; nil when there is nothing to send.
    var first: Slab? { chain.first }

    /// Whether nothing is queued.
    var isEmpty: Bool { byteCount == 0 }

    /// Memory after the last byte, at least one byte of it; `commit` follows.
    func reserve() -> UnsafeMutableBufferPointer<UInt8> {
        let slab: Slab
        if let last = chain.last, last.room > 0 {
            slab = last
        } else {
            slab = pool.take()
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
    func append(_ bytes: UnsafeRawBufferPointer) {
        var offset = 0
        while offset < bytes.count {
            let room = reserve()
            let count = min(room.count, bytes.count - offset)
            UnsafeMutableRawBufferPointer(room).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
            commit(count)
            offset += count
        }
    }

    /// A backend sends from here until `consume` or `removeAll`.
    func beginSending() { isSending = true }

    /// The kernel has taken `count` bytes; slabs that are used up go back.
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

    /// Gives everything up; no backend may be sending from here.
    func removeAll() {
        chain.removeAll(to: pool)
        byteCount = 0
        isSending = false
    }
}
