// How a request is put on the wire: head, body and framing from the slabs they lie in.
//
// A small message is one record: head, payload, no copy of either. A body that is still arriving is
// chunked, one slab a chunk, the framing written into the gaps around the payload; its slabs go
// back as they are handed over. A body that was whole at the start keeps its slabs until the answer
// begins, so that it can be sent again as long as the kernel may not have its last byte.

import Reactor
import Wire

extension APIConnection {
    /// Writes as much of the request as is ready and as the stream will queue.
    /// - Returns: whether any of the body was handed over.
    func writeRequest(_ call: APICall) -> Bool {
        guard let stream, !call.isHandedOver else { return false }
        guard let body = call.body else {
            writeHeadAlone(call, to: stream)
            call.handedOver(wireEnd: stream.sealedEnd())
            return false
        }
        var hasMoved = false
        var hasEnd = false
        while !stream.isAboveHighWater, let slab = body.nextReady {
            let isLast = body.isComplete && slab.count == body.pendingBytes
            hasEnd = write(slab, isLast: isLast, of: call, to: stream)
            body.handedOver(slab, isHeld: !isChunked)
            hasMoved = true
        }
        if body.isHandedOver { finishRequest(call, body, to: stream, hasEnd: hasEnd) }
        return hasMoved
    }

    /// All of the body is handed over; what may be missing is the end of its framing.
    private func finishRequest(
        _ call: APICall, _ body: RequestBody, to stream: Stream, hasEnd: Bool
    ) {
        // An empty body; the API will say what it thinks of it.
        if !isHeadWritten { writeHeadAlone(call, to: stream) }
        // Completed when its last slab had left already, or no room behind that slab.
        if isChunked && !hasEnd { stream.write(ChunkedEncoder.end) }
        call.handedOver(wireEnd: stream.sealedEnd())
    }

    /// Writes one slab with the framing around it, as one record.
    /// - Returns: whether the end of a chunked body went along.
    private func write(_ slab: Slab, isLast: Bool, of call: APICall, to stream: Stream) -> Bool {
        var start = slab.payload + slab.start
        var end = slab.payload + slab.end
        if isChunked {
            start -= ChunkedEncoder.headBytes
            ChunkedEncoder.writeHead(size: slab.count, to: start)
            end = APIConnection.put(ChunkedEncoder.tail, at: end)
        }
        if !isHeadWritten {
            let room = start - slab.payload
            start -= writeHead(call, before: start, room: room)
        }
        let endBytes = ChunkedEncoder.end.utf8CodeUnitCount
        let hasEnd = isChunked && isLast && end - start <= Stream.recordBytesMax - endBytes
        if hasEnd { end = APIConnection.put(ChunkedEncoder.end, at: end) }
        stream.writeRecord(UnsafeBufferPointer(start: start, count: end - start).span)
        return hasEnd
    }

    /// Writes the head so that it ends at `end`; returns its length.
    private func writeHead(
        _ call: APICall, before end: UnsafeMutablePointer<UInt8>, room: Int
    ) -> Int {
        let framing: RequestHead.Framing =
            call.body.map { isChunked ? .chunked : .length($0.byteCount) } ?? .none
        let length = pool.head.write(
            call.kind, key: call.key, framing: framing, before: end, room: room)
        // The pool asked `fits` when the call came.
        guard let length else { preconditionFailure("the head does not fit") }
        isHeadWritten = true
        return length
    }

    private func writeHeadAlone(_ call: APICall, to stream: Stream) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: RequestBody.headRoom) { memory in
            guard let base = memory.baseAddress else { return }
            let length = writeHead(call, before: base + memory.count, room: memory.count)
            let start = base + (memory.count - length)
            stream.write(UnsafeBufferPointer(start: start, count: length).span)
            memory.initialize(repeating: 0)
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
