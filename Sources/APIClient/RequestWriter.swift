// Puts the request of a call on the wire: head, body and framing, from the slabs where they lie.
//
// A small message is one record: head and payload, neither of them copied. A body that still
// arrives is chunked: each slab is a chunk, its framing is written into the gaps around the
// payload, and the slab goes back when it is handed over. A body that was whole at the start keeps
// its slabs until the answer begins, so it can be sent again as long as the kernel can't have its
// last byte (RFC 9112 6 and 7.1).

import Glibc
import Reactor
import Wire

/// Writes one request after the other to the stream of a connection, and knows how far each got.
struct RequestWriter {
    private let head: RequestHead
    /// The framing of the request that is being written.
    private var isChunked = false
    /// Where in the bytes of the connection the request begins.
    private(set) var wireStart: UInt64 = 0
    /// The head was written, and so at least one byte of the request.
    private(set) var isHeadWritten = false

    init(head: RequestHead) { self.head = head }

    /// A new request; `write` follows.
    mutating func begin(_ call: APICall, on stream: Stream?) {
        isHeadWritten = false
        isChunked = call.body.map { !$0.isComplete } ?? false
        wireStart = stream?.sealedEnd() ?? 0
    }

    /// Writes as much of the request as is ready and as the stream queues.
    /// - Parameter slabsMax: slabs of the body, at most.
    /// - Returns: whether any of the body was handed over.
    mutating func write(
        _ call: APICall, to stream: Stream, slabsMax: Int = .max
    ) -> Bool {
        guard !call.isHandedOver else { return false }
        guard let body = call.body else {
            writeHeadAlone(call, to: stream)
            call.handedOver(wireEnd: stream.sealedEnd())
            return false
        }
        var hasMoved = false
        var hasEnd = false
        var slabsLeft = slabsMax
        while slabsLeft > 0, !stream.isAboveHighWater, let slab = body.nextReady {
            let isLast = body.isComplete && slab.count == body.pendingBytes
            hasEnd = write(slab, isLast: isLast, of: call, to: stream)
            body.handedOver(slab, isHeld: !isChunked)
            hasMoved = true
            slabsLeft -= 1
        }
        if body.isHandedOver { finish(call, to: stream, hasEnd: hasEnd) }
        return hasMoved
    }

    /// How far the request got, as the kernel has said so far.
    /// - Parameter stream: nil when it is gone.
    func progress(of call: APICall, on stream: Stream?) -> RequestProgress {
        guard isHeadWritten else { return .nothingWritten }
        guard let stream else { return .handedOver }
        if call.isHandedOver && !stream.certainlyKept(upTo: call.wireEnd) { return .handedOver }
        let isBodyHeld = call.body?.isHeld ?? true
        // What an upload has queued is gone with the queue, whether the kernel has seen it or not.
        if isBodyHeld, stream.certainlyKept(upTo: wireStart + 1) { return .nothingWritten }
        return .partlyWritten(isBodyHeld: isBodyHeld)
    }

    /// All of the body is handed over; the end of its framing may be missing.
    private mutating func finish(_ call: APICall, to stream: Stream, hasEnd: Bool) {
        // The body is empty; the API will say what it thinks of it.
        if !isHeadWritten { writeHeadAlone(call, to: stream) }
        // The last slab had left before the body was completed, or had no room for the end.
        if isChunked && !hasEnd { stream.write(ChunkedEncoder.end) }
        call.handedOver(wireEnd: stream.sealedEnd())
    }

    /// Writes one slab with the framing around it, as one record.
    /// - Returns: whether the end of a chunked body is in it.
    private mutating func write(
        _ slab: Slab, isLast: Bool, of call: APICall, to stream: Stream
    ) -> Bool {
        var start = slab.payload + slab.start
        var end = slab.payload + slab.end
        if isChunked {
            start -= ChunkedEncoder.headBytes
            ChunkedEncoder.writeHead(size: slab.count, to: start)
            end = RequestWriter.put(ChunkedEncoder.tail, at: end)
        }
        var headBytes = 0
        if !isHeadWritten {
            headBytes = writeHead(call, before: start, room: start - slab.payload)
            start -= headBytes
        }
        let endBytes = ChunkedEncoder.end.utf8CodeUnitCount
        let hasEnd = isChunked && isLast && end - start <= Stream.recordBytesMax - endBytes
        if hasEnd { end = RequestWriter.put(ChunkedEncoder.end, at: end) }
        stream.writeRecord(
            UnsafeBufferPointer(start: start, count: end - start).span, isSecret: headBytes > 0)
        // The key is not left in memory; a second try writes the head again.
        if headBytes > 0 { explicit_bzero(start, headBytes) }
        return hasEnd
    }

    /// Writes the head so that it ends at `end`; returns its length.
    private mutating func writeHead(
        _ call: APICall, before end: UnsafeMutablePointer<UInt8>, room: Int
    ) -> Int {
        let framing: RequestHead.Framing =
            call.body.map { isChunked ? .chunked : .length($0.byteCount) } ?? .none
        let length = head.write(
            call.kind, key: call.key, framing: framing, before: end, room: room)
        // The pool asked `fits` when the call came.
        guard let length else { preconditionFailure("the head does not fit") }
        isHeadWritten = true
        return length
    }

    private mutating func writeHeadAlone(_ call: APICall, to stream: Stream) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: RequestBody.headRoom) { memory in
            guard let base = memory.baseAddress else { return }
            let length = writeHead(call, before: base + memory.count, room: memory.count)
            let start = base + (memory.count - length)
            stream.write(UnsafeBufferPointer(start: start, count: length).span, isSecret: true)
            // The key is not left in memory.
            explicit_bzero(base, memory.count)
        }
    }

    private static func put(
        _ text: StaticString, at place: UnsafeMutablePointer<UInt8>
    ) -> UnsafeMutablePointer<UInt8> {
        text.withUTF8Buffer { source in
            if let base = source.baseAddress { place.update(from: base, count: source.count) }
        }
        return place + text.utf8CodeUnitCount
    }
}
