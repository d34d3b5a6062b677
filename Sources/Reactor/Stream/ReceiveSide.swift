// The receiving half of a stream: whether bytes are wanted, which ciphertext waits, and when the
// bytes that are delivered may have arrived at this machine.
//
// A value without a descriptor, a clock or a handler: `Stream` feeds it and asks it. Ciphertext is
// decrypted only as far as it can be delivered; the rest of one receive waits in slabs: at most 4 KiB
// of a stranger, in a small one, and one receive of others.

import Glibc

/// What a stream knows about its incoming bytes.
struct ReceiveSide: ~Copyable {
    /// Why nothing is delivered now.
    struct Stops: OptionSet {
        let rawValue: UInt8
        /// The owner has called `pauseReceiving`.
        static let owner = Stops(rawValue: 1)
        /// Too much output is queued.
        static let output = Stops(rawValue: 2)
    }

    /// A peer that sends more than this at once, in bytes, is taken to have more on the way, which
    /// makes the kernel acknowledge: the buffer of many a client, in a TLS record.
    private static let pieceBytesMax = 8_704

    /// Empty while bytes are delivered.
    private(set) var stops: Stops = []
    /// The peer has ended its side, and the handler still has something to send.
    private(set) var hasEnded = false
    /// The backend has been asked to receive.
    private var isArmed = false
    /// The engine may have plaintext that needs no further ciphertext.
    private(set) var mayHavePlaintext = false
    /// Ciphertext that came before receiving stopped and is not decrypted yet.
    private(set) var held = SlabChain()
    /// The earliest time at which the bytes that are delivered now may have arrived at this
    /// machine: when they were read from the kernel, or earlier when receiving was stopped for
    /// long.
    private(set) var arrivedAt = MonotonicTime(nanoseconds: 0)
    private var arrivals = ArrivalClock()
    /// The bytes that are being delivered are wiped after the call.
    private var wipesDelivered = false
    /// Bytes that came after our own end.
    private var discardedBytes = 0
    /// Bytes of one receive at most, as the backend knows.
    private(set) var limit = Stream.receiveBytesMax
    /// What was read last is so small that the peer may wait for its acknowledgement before it sends
    /// more (RFC 1122 4.2.3.4, Nagle's algorithm), and the kernel for something to send.
    private var isPiece = false
    /// The same, and more must come before there will be something to send.
    private(set) var owesAcknowledgement = false

    /// Nothing is delivered.
    var isStopped: Bool { !stops.isEmpty }
    /// There is something to deliver that needs no further byte from the kernel.
    var hasMore: Bool { mayHavePlaintext || !held.isEmpty }

    /// Nothing is delivered until this reason and every other one are gone.
    mutating func stop(_ reason: Stops, at now: MonotonicTime) {
        if stops.isEmpty { arrivals.paused(at: now) }
        stops.insert(reason)
    }

    /// This reason is gone.
    /// - Returns: whether delivery continues after a stop so long that `noteUnread` must be called.
    mutating func allow(_ reason: Stops, at now: MonotonicTime) -> Bool {
        guard stops.contains(reason) else { return false }
        stops.remove(reason)
        return stops.isEmpty && arrivals.isLate(at: now)
    }

    /// `byteCount` bytes waited in the kernel when a long stop ended.
    mutating func noteUnread(_ byteCount: Int) { arrivals.unread(byteCount) }

    /// The backend has read `byteCount` bytes.
    mutating func read(_ byteCount: Int, at now: MonotonicTime) {
        let arrival = arrivals.read(byteCount, at: now)
        if held.isEmpty { arrivedAt = arrival }
        isPiece = byteCount <= Self.pieceBytesMax
        owesAcknowledgement = isPiece
    }

    /// The backend has been told of another limit.
    mutating func limited(to byteCount: Int) { limit = byteCount }

    /// The limit under which the next receive cuts no record, because the rest of a record that is cut must
    /// be copied.
    /// - Parameters:
    ///   - byteCount: bytes of the last receive. Only one that was full says that more are on the way.
    ///   - cut: where the records of the last receive have ended.
    /// - Returns: nil when the limit that holds is good.
    func nextLimit(after byteCount: Int, in cut: TLSRecordCut?, _ bounds: StreamBounds) -> Int? {
        guard byteCount == limit, held.isEmpty, let cut, cut.recordBytes > 0 else { return nil }
        let most = bounds.receiveBytesMax
        let room = most - cut.missingBytes
        let whole = room - room % cut.recordBytes
        let next = whole > 0 ? cut.missingBytes + whole : most
        return next == limit ? nil : next
    }

    /// What was read is whole for TLS; the handler will say whether it is for itself.
    mutating func delivered() { owesAcknowledgement = false }

    /// What is being delivered holds a secret.
    mutating func holdsSecret() { wipesDelivered = true }

    /// Overwrites what was delivered if it held one.
    mutating func wipeIfSecret(_ bytes: UnsafeRawBufferPointer) {
        guard wipesDelivered else { return }
        wipesDelivered = false
        guard let start = UnsafeMutableRawPointer(mutating: bytes.baseAddress) else { return }
        explicit_bzero(start, bytes.count)
    }

    /// What was delivered is the beginning of something.
    mutating func awaitRest() { owesAcknowledgement = isPiece }

    /// It has been acknowledged, or will be by what is sent.
    mutating func acknowledged() { owesAcknowledgement = false }

    /// `byteCount` bytes are thrown away.
    /// - Returns: how many they are with those before.
    mutating func discard(_ byteCount: Int) -> Int {
        discardedBytes += byteCount
        return discardedBytes
    }

    /// The peer will send nothing more, and the stream stays open.
    mutating func end() { hasEnded = true }

    /// The backend has stopped receiving by itself: the peer has ended, or receiving has failed.
    mutating func disarmed() { isArmed = false }

    /// Notes whether the backend has to receive from now on.
    /// - Returns: whether it must be told.
    mutating func arm(_ isWanted: Bool) -> Bool {
        guard isWanted != isArmed else { return false }
        isArmed = isWanted
        return true
    }

    /// The engine has decrypted, and may have more.
    mutating func decrypted(mayHaveMore: Bool) { mayHavePlaintext = mayHaveMore }

    /// Copies ciphertext into slabs, after the ciphertext that is held already.
    mutating func hold(_ bytes: UnsafeRawBufferPointer, in pool: SlabPool) {
        var offset = 0
        while offset < bytes.count {
            let left = bytes.count - offset
            let slab = left <= Slab.smallCapacity ? pool.takeSmall() : pool.take()
            let count = min(slab.capacity, left)
            UnsafeMutableRawBufferPointer(start: slab.payload, count: count).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
            slab.end = count
            held.append(slab)
            offset += count
        }
    }

    /// `count` bytes of the first held slab are used up.
    mutating func useHeld(_ count: Int, in pool: SlabPool) {
        guard let slab = held.first else { return }
        slab.start += count
        if slab.count == 0, let empty = held.popFirst() { pool.give(back: empty) }
    }

    /// Throws away what is held.
    mutating func discardHeld(to pool: SlabPool) { held.removeAll(to: pool) }
}
