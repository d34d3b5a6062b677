// The bytes of one request body between the mapper that writes them and the connection that sends
// them: a row of slabs with gaps where HTTP framing goes, so that nothing is ever moved.
//
//     first slab   |  HTTP head, right-aligned  |chunk head|  payload …        |CRLF|
//     other slabs  |chunk head|  payload …                                     |CRLF|
//
// Over HTTP/2 the frame's head stands where the chunk's would, and nothing after the payload.
//
// Before the reader looks, the writer may take bytes out again (`cut`).
//
// One writer, one reader, one loop. A slab is ready to be sent when enough was written after it, or
// when the body is complete. So every record but the last is a full one, and something of an
// unfinished body is always left: `trickle` hands it over byte by byte while its writer is silent.

import HTTP2
import Reactor
import Wire

/// The bytes of one request body on their way from the mapper to an API connection.
///
/// The first slab leaves `headRoom` bytes free for the HTTP head. Every slab leaves `gapBytes` free in
/// front of the payload for a chunk's or a frame's head and two bytes after it, so a whole record goes
/// out without a copy. One writer, one reader (an API lane), one loop.
package final class RequestBody {
    /// Room for the head of a chunk or of an HTTP/2 frame.
    static let gapBytes = max(ChunkedEncoder.headBytes, HTTP2DataFrame.headBytes)
    /// Room for the HTTP head, `gapBytes` included, in front of the first payload byte.
    static let headRoom = 1_536
    /// The payload of a slab ends here at the latest: a record has at most 16,384 bytes.
    static let payloadEnd = 16_382
    /// Bytes that are left of an unfinished body, at least, when it trickles.
    static let keptBytes = 256
    /// Bytes of a piece that trickles. No other piece of an unfinished body is as small.
    package static let trickleBytes = 1

    private let pool: SlabPool
    private var slabs = SlabChain()
    /// The last slab of `slabs` that was handed over, when the body is held.
    private var lastHandedOver: Slab?
    /// What trickles; it comes before `slabs`.
    private var trickling: Slab?
    private var isDiscarded = false
    /// Between `beginWriting` and `endWriting`: where is written.
    private var openSlab: Slab?
    /// Slabs were given back: the body can't be sent from its beginning any more.
    private var hasGivenBack = false

    /// Payload bytes written so far.
    package private(set) var byteCount = 0
    /// Payload bytes written and not yet handed to a connection.
    package private(set) var pendingBytes = 0
    /// No more will be written.
    package private(set) var isComplete = false

    /// - Parameter pool: where the slabs come from and go back to; the loop's.
    package init(pool: SlabPool) { self.pool = pool }

    deinit { giveBackAll() }

    private func giveBackAll() {
        slabs.removeAll(to: pool)
        if let trickling { pool.give(back: trickling) }
        trickling = nil
    }
}

// MARK: - The writer's side

extension RequestBody {
    /// Free memory in the last slab (a new one when full): at least one byte of room. `endWriting`
    /// follows before anything else is done with the body. After `discard` what is written is thrown
    /// away.
    ///
    /// A pair of calls instead of one that takes a closure: neither a closure nor a generic function
    /// is specialised across modules, and every piece of JSON comes this way.
    package func beginWriting() -> Region {
        precondition(!isComplete || isDiscarded, "nothing is written after the end")
        let slab = slabWithRoom()
        openSlab = slab
        let end = slab.end
        return Region(
            UnsafeMutableBufferPointer(
                start: slab.payload + end, count: RequestBody.payloadEnd - end))
    }

    /// - Parameter count: bytes that were written into the region of `beginWriting`.
    package func endWriting(_ count: Int) {
        guard let slab = openSlab else { preconditionFailure("nothing was begun") }
        openSlab = nil
        byteCount += count
        if isDiscarded { return pool.give(back: slab) }
        slab.end += count
        pendingBytes += count
    }

    /// The same for one closure, away from the byte path.
    package func write<R>(_ body: (inout Region) -> R) -> R {
        var region = beginWriting()
        let result = body(&region)
        endWriting(region.count)
        return result
    }

    /// Copies all of `bytes`; for short texts such as JSON punctuation.
    package func append(_ bytes: Bytes) {
        if !isDiscarded, let slab = slabs.last, bytes.count > 0 {
            // Most pieces are short, and fit.
            let end = slab.end
            if bytes.count <= RequestBody.payloadEnd - end {
                let memory = slab.payload + end
                bytes.withUnsafeBufferPointer { source in
                    if let start = source.baseAddress {
                        memory.update(from: start, count: source.count)
                    }
                }
                slab.end = end + bytes.count
                byteCount += bytes.count
                pendingBytes += bytes.count
                return
            }
        }
        var taken = 0
        while taken < bytes.count {
            var region = beginWriting()
            taken += region.append(bytes.extracting(taken..<bytes.count))
            endWriting(region.count)
        }
    }

    /// No more will be written.
    package func complete() { isComplete = true }

    /// Gives all slabs back; what is written afterwards is thrown away.
    package func discard() {
        giveBackAll()
        lastHandedOver = nil
        pendingBytes = 0
        isDiscarded = true
        hasGivenBack = true
    }

    /// Makes a new, empty body of one that was discarded. Nobody but the caller may hold it.
    package func begin() {
        precondition(isDiscarded)
        byteCount = 0
        isComplete = false
        isDiscarded = false
        hasGivenBack = false
    }

    private func slabWithRoom() -> Slab {
        if !isDiscarded, let last = slabs.last, last.end < RequestBody.payloadEnd { return last }
        let slab = pool.take()
        let isFirst = byteCount == 0 && slabs.isEmpty
        slab.reset(at: isFirst ? RequestBody.headRoom : RequestBody.gapBytes)
        if !isDiscarded { slabs.append(slab) }
        return slab
    }
}

// MARK: - The writer's second thoughts

extension RequestBody {
    /// Copies bytes from `offset` on into an empty region, as many as one slab has; at least one,
    /// unless the body was discarded.
    /// - Parameter offset: below `byteCount`. Nothing was handed over yet.
    package func read(at offset: Int, into region: inout Region) {
        guard !isDiscarded else { return }
        precondition(isUntouched && offset >= 0 && offset < byteCount)
        var left = offset
        var cursor = slabs.first
        while let slab = cursor {
            if left < slab.count {
                region.append(slab.bytes.extracting(left...))
                return
            }
            left -= slab.count
            cursor = slabs.slab(after: slab)
        }
    }

    /// Takes bytes out, as if they had never been written. Moves less than a slab of others.
    /// - Parameter range: of the payload, not its first byte. Nothing was handed over yet, and no
    ///   reader has been told of what is here. A body that was discarded has nothing to take out.
    package func cut(_ range: Range<Int>) {
        guard !isDiscarded, !range.isEmpty else { return }
        // The first slab keeps its room for the HTTP head.
        precondition(isUntouched && range.lowerBound > 0 && range.upperBound <= byteCount)
        var kept = SlabChain()
        var start = 0
        while let slab = slabs.popFirst() {
            let end = start + slab.count
            RequestBody.cut(
                max(start, min(end, range.lowerBound)) - start..<max(
                    start, min(end, range.upperBound)) - start, of: slab)
            if slab.count > 0 { kept.append(slab) } else { pool.give(back: slab) }
            start = end
        }
        slabs.append(contentsOf: &kept)
        byteCount -= range.count
        pendingBytes -= range.count
    }

    /// Nothing was handed over, and nobody waits for the rest.
    private var isUntouched: Bool {
        lastHandedOver == nil && !hasGivenBack && !isComplete && openSlab == nil
    }

    private static func cut(_ range: Range<Int>, of slab: Slab) {
        guard !range.isEmpty else { return }
        if range.upperBound == slab.count {
            slab.end -= range.count
        } else if range.lowerBound == 0 {
            slab.start += range.count
        } else {
            let place = slab.payload + slab.start + range.lowerBound
            place.update(from: place + range.count, count: slab.count - range.upperBound)
            slab.end -= range.count
        }
    }
}

// MARK: - The reader's side

extension RequestBody {
    /// Whether every byte is still there to be sent again.
    package var isHeld: Bool { !hasGivenBack }

    /// Whether the body is complete and all of it has been handed over (or thrown away).
    var isHandedOver: Bool { isComplete && pendingBytes == 0 }

    /// The next slab that may be sent; it stays the body's. Around its payload there is room for the
    /// framing. nil when no slab is ready.
    package var nextReady: Slab? {
        guard pendingBytes > 0 else { return nil }
        if let trickling { return trickling }
        let next = lastHandedOver.map { slabs.slab(after: $0) } ?? slabs.first
        guard let slab = next, slab.count > 0 else { return nil }
        return isComplete || pendingBytes - slab.count >= RequestBody.keptBytes ? slab : nil
    }

    /// Makes a piece of `trickleBytes` ready, although its slab is not.
    /// - Returns: whether it did. Not while something is ready, before something was handed over for
    ///   good, or when nothing would be left.
    package func trickle() -> Bool {
        guard hasGivenBack, !isDiscarded, nextReady == nil, let slab = slabs.first,
            slab.count > RequestBody.trickleBytes
        else { return false }
        let piece = pool.take()
        piece.reset(at: RequestBody.gapBytes)
        for _ in 0..<RequestBody.trickleBytes {
            piece.payload[piece.end] = slab.payload[slab.start]
            piece.end += 1
            slab.start += 1
        }
        trickling = piece
        return true
    }

    /// `slab`, which was `nextReady`, has been handed to a connection.
    /// - Parameter isHeld: keep the slab, so that the request can be sent again; else it goes back.
    package func handedOver(_ slab: Slab, isHeld: Bool) {
        pendingBytes -= slab.count
        if let trickling {
            pool.give(back: trickling)
            self.trickling = nil
        } else if isHeld {
            lastHandedOver = slab
        } else {
            precondition(lastHandedOver == nil, "held slabs come before released ones")
            hasGivenBack = true
            if let first = slabs.popFirst() { pool.give(back: first) }
        }
    }

    /// Sends a held body again from its beginning.
    package func rewind() {
        precondition(isHeld)
        lastHandedOver = nil
        pendingBytes = byteCount
    }

    /// The answer has begun: the slabs are not needed any more. Harmless when called again.
    func release() {
        precondition(isHandedOver)
        slabs.removeAll(to: pool)
        lastHandedOver = nil
        hasGivenBack = true
    }
}

// MARK: - All at once

extension RequestBody {
    /// Completes the body and takes all of it; for a program that shows requests and sends none.
    package func contents() -> [UInt8] {
        complete()
        var bytes: [UInt8] = []
        while let slab = nextReady {
            bytes.append(bytes: slab.bytes)
            handedOver(slab, isHeld: false)
        }
        return bytes
    }
}
