// The bytes of the TLS engines of one loop: the struct that their BIO points to, and the shared
// plaintext buffer.
//
// Engines run one at a time and never keep a pointer into this object, so an idle connection has no
// buffer of its own.

import CEpoll.TLS

/// Where ciphertext and OpenSSL meet on one loop.
package final class TLSPort {
    /// Most plaintext bytes that one call delivers: as much as one receive can hold, and room to look
    /// for one more record.
    static let plaintextBytesMax = 8 * Stream.recordBytesMax + TLSRecordOpener.roomBytes

    /// The struct that the BIOs point to.
    let pointer: UnsafeMutablePointer<ct_port>
    /// Plaintext of the engine that decrypted last.
    let plaintext: UnsafeMutableRawBufferPointer
    /// The time of the current handshake; OpenSSL's callbacks use it.
    private(set) var now = MonotonicTime(nanoseconds: 0)
    /// Engines that are not freed, and the OpenSSL connections that they hold; tests check that
    /// both are zero at the end.
    package private(set) var engineCount = 0
    package private(set) var connectionCount = 0
    /// Takes what OpenSSL writes and must not be sent.
    let unsent = OutputQueue(pool: SlabPool(freeCountMax: 1))

    init() {
        pointer = .allocate(capacity: 1)
        pointer.initialize(to: ct_port())
        pointer.pointee.refill = { TLSPort.refill($0) }
        plaintext = .allocate(byteCount: TLSPort.plaintextBytesMax, alignment: 64)
    }

    deinit {
        pointer.deallocate()
        plaintext.deallocate()
    }

    /// An engine was made.
    func engineMade() { engineCount += 1 }

    /// An engine's OpenSSL connection was made.
    func connectionMade() { connectionCount += 1 }

    /// An engine was freed.
    func engineFreed() { engineCount -= 1 }

    /// An engine's OpenSSL connection was freed.
    func connectionFreed() { connectionCount -= 1 }

    /// A handshake continues at this time.
    func handshake(at now: MonotonicTime) { self.now = now }

    /// Calls into OpenSSL with `input` to read and `output` to write; returns the bytes of
    /// `input` that were used.
    func run(
        input: UnsafeRawBufferPointer, output: OutputQueue, _ body: () -> Void
    ) -> Int {
        pointer.pointee.in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        pointer.pointee.in_count = input.count
        pointer.pointee.out = nil
        pointer.pointee.out_room = 0
        pointer.pointee.out_count = 0
        pointer.pointee.records = 0
        pointer.pointee.record_left = 0
        pointer.pointee.header_count = 0
        pointer.pointee.sink = Unmanaged.passUnretained(output).toOpaque()
        body()
        if pointer.pointee.out_count > 0 { output.commit(pointer.pointee.out_count) }
        pointer.pointee.sink = nil
        return input.count - pointer.pointee.in_count
    }

    /// Empties `unsent`; returns how many bytes were in it.
    func takeUnsent() -> Int {
        let count = unsent.byteCount
        if count > 0 { unsent.removeAll() }
        return count
    }

    /// Records that OpenSSL wrote in the last call, all of them whole.
    var recordsWritten: Int { pointer.pointee.records }

    /// Bytes of the input that OpenSSL has not asked for yet.
    var inputLeft: Int { pointer.pointee.in_count }

    private static func refill(_ port: UnsafeMutablePointer<ct_port>) {
        guard let sink = port.pointee.sink else { preconditionFailure("no call is under way") }
        let output = Unmanaged<OutputQueue>.fromOpaque(sink).takeUnretainedValue()
        if port.pointee.out_count > 0 { output.commit(port.pointee.out_count) }
        let room = output.reserve()
        port.pointee.out = room.baseAddress
        port.pointee.out_room = room.count
        port.pointee.out_count = 0
    }
}
