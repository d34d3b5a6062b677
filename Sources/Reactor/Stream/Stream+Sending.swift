// From the handler to the kernel: gathered during the event, sent once at its end.
//
// Plaintext streams copy into the output slabs. TLS streams gather up to a full record first,
// because a record costs as much as three kilobytes of its content.

extension Stream {
    /// Plaintext bytes of one full TLS record (RFC 8446 section 5.1).
    public static let recordBytesMax = 16_384

    /// Copies `bytes` into the gathering buffer; sent with everything else that is written before
    /// the current event is over (one record, one system call where it fits).
    public func write(_ bytes: Span<UInt8>) {
        guard takesBytes else { return }
        bytes.withUnsafeBytes { raw in
            if engine == nil { output.append(raw) } else { gather(raw) }
        }
        noteWritten()
    }

    /// The same for a text that lives as long as the program.
    public func write(_ text: StaticString) {
        text.withUTF8Buffer { write($0.span) }
    }

    /// Flushes what is gathered, then encrypts `bytes` (best: at most 16,384, one record) straight
    /// from the caller's memory, which is free again on return.
    public func writeRecord(_ bytes: Span<UInt8>) {
        guard takesBytes else { return }
        bytes.withUnsafeBytes { raw in
            if engine == nil {
                output.append(raw)
            } else if phase == .open {
                sealGathered()
                encrypt(raw)
            } else {
                gather(raw)
            }
        }
        noteWritten()
    }

    /// Where in the bytes of the wire everything that was written so far ends. Encrypts what is
    /// gathered, so that nothing written later comes in front of it. Only once the stream is open.
    public func sealedEnd() -> UInt64 {
        if phase == .open, engine != nil { sealGathered() }
        return output.takenBytes + UInt64(output.byteCount)
    }

    /// Whether the kernel has certainly not taken the bytes of the wire up to `end`, a `sealedEnd`:
    /// then the peer cannot have them, and never will once this stream is aborted. False when that
    /// is not known, because a send of unknown outcome is under way.
    public func certainlyKept(upTo end: UInt64) -> Bool {
        !output.isSending && output.takenBytes < end
    }

    private var takesBytes: Bool { phase < .draining && !isOutputDead && !isCondemned }

    private func noteWritten() {
        if isAboveHighWater { owesDrained = true }
        loop.settleLater(self)
    }

    private func gather(_ bytes: UnsafeRawBufferPointer) {
        var offset = 0
        while offset < bytes.count {
            let slab = gatheringSlab()
            let count = min(Stream.recordBytesMax - slab.end, bytes.count - offset)
            UnsafeMutableRawBufferPointer(start: slab.payload + slab.end, count: count).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
            slab.end += count
            gatheredByteCount += count
            offset += count
        }
    }

    /// The slab to gather in; a full one is encrypted first, if the handshake is done.
    private func gatheringSlab() -> Slab {
        if let last = gathered.last {
            if last.end < Stream.recordBytesMax { return last }
            if phase == .open { sealGathered() }
        }
        let slab = loop.slabs.take()
        gathered.append(slab)
        return slab
    }

    /// Encrypts what is gathered, a record a slab.
    func sealGathered() {
        while let slab = gathered.popFirst() {
            gatheredByteCount -= slab.count
            encrypt(UnsafeRawBufferPointer(start: slab.payload + slab.start, count: slab.count))
            loop.slabs.give(back: slab)
        }
    }

    /// Sends until nothing is left or the kernel is full.
    func flush() {
        guard phase != .connecting, phase != .closed else { return }
        if phase == .open, engine != nil { sealGathered() }
        while !output.isSending, let first = output.first {
            switch loop.backend.send(token, first: first) {
            case .sent(let byteCount): sent(byteCount)
            case .pending: output.isSending = true
            case .failed(let errno): sendFailed(errno)
            }
        }
    }

    /// The kernel has taken bytes.
    func sent(_ byteCount: Int) {
        guard phase != .closed else { return }
        output.isSending = false
        output.consume(byteCount)
        loop.counters.bytesSent += UInt64(byteCount)
        if phase == .draining { armLinger() }
    }

    /// The kernel takes no more. What the peer said before it left may still be waiting for us (a
    /// refusal, say), so reading goes on to the end, if it can.
    func sendFailed(_ errno: Int32) {
        guard phase != .closed else { return }
        output.removeAll()
        isOutputDead = true
        if closeReason == nil { closeReason = .system(errno: errno) }
        guard phase == .open, !isReceivingPaused else {
            return condemn(closeReason ?? .system(errno: errno))
        }
        armLinger()
    }

    /// Tells the handler that it may write again; once an event, so that a writer who fills the
    /// queue each time takes turns with the others.
    func notifyDrained() {
        guard owesDrained, phase == .open, queuedBytes < Stream.lowWater, !isOutputDead else {
            return
        }
        owesDrained = false
        handler.streamDrained(self)
        flush()
        if owesDrained, queuedBytes < Stream.lowWater { loop.settleNextTick(self) }
    }
}
