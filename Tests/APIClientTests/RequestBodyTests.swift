// The gaps, the marks and the ownership of slabs.

import Reactor
import TestSupport
import Testing
import Wire

@testable import APIClient

@Suite("Request body")
struct RequestBodyTests {
    /// Takes all that is ready.
    private func takeReady(_ body: RequestBody, isHeld: Bool) -> [UInt8] {
        var result: [UInt8] = []
        while let slab = body.nextReady {
            result += slab.bytes.copied()
            body.handedOver(slab, isHeld: isHeld)
        }
        return result
    }

    private func fill(_ body: RequestBody, _ count: Int) -> [UInt8] {
        var generator = SeededGenerator(seed: UInt64(count))
        let content = generator.bytes(count)
        var at = 0
        for length in Splits.plan(for: count, longest: 5_000, using: &generator) {
            let piece = Array(content[at..<at + length])
            body.append(piece.span)
            at += length
        }
        return content
    }

    @Test(
        "The first slab leaves room for the head, every slab for the head of a chunk or of a frame")
    func gaps() throws {
        let body = RequestBody(pool: SlabPool())
        let content = fill(body, 40_000)
        body.complete()
        let first = try #require(body.nextReady)
        #expect(first.start == RequestBody.headRoom && first.end == RequestBody.payloadEnd)
        let firstBytes = first.bytes.copied()
        body.handedOver(first, isHeld: true)
        let second = try #require(body.nextReady)
        #expect(second.start == RequestBody.gapBytes && second.end + 2 == 16_384)
        let both = firstBytes + second.bytes.copied()
        #expect(both == Array(content.prefix(both.count)))
        body.discard()
    }

    @Test("A slab that is partly full waits until the body is complete")
    func waitsForFull() {
        let pool = SlabPool()
        let body = RequestBody(pool: pool)
        body.append([0x7B].span)
        #expect(body.nextReady == nil && body.pendingBytes == 1 && body.byteCount == 1)
        body.complete()
        #expect(body.nextReady != nil && !body.isHandedOver)
        #expect(takeReady(body, isHeld: false) == [0x7B])
        #expect(body.isHandedOver && body.pendingBytes == 0 && !body.isHeld)
        #expect(pool.outstanding == 0)
    }

    @Test("What goes in comes out", arguments: [0, 1, 14_846, 14_847, 31_223, 60_000])
    func content(_ count: Int) {
        let pool = SlabPool()
        let body = RequestBody(pool: pool)
        let content = fill(body, count)
        var taken = takeReady(body, isHeld: false)
        body.complete()
        taken += takeReady(body, isHeld: false)
        #expect(taken == content)
        #expect(body.byteCount == count && body.isHandedOver && pool.outstanding == 0)
    }

    @Test("A held body can be sent again, then gives its slabs back")
    func rewind() {
        let pool = SlabPool()
        let body = RequestBody(pool: pool)
        let content = fill(body, 50_000)
        body.complete()
        for _ in 0..<3 {
            #expect(takeReady(body, isHeld: true) == content)
            #expect(body.isHeld && body.isHandedOver)
            body.rewind()
            #expect(body.pendingBytes == 50_000)
        }
        _ = takeReady(body, isHeld: true)
        body.release()
        #expect(pool.outstanding == 0 && !body.isHeld)
    }

    @Test("A discarded body gives all slabs back and throws away what is written afterwards")
    func discard() {
        let pool = SlabPool()
        let body = RequestBody(pool: pool)
        _ = fill(body, 50_000)
        body.discard()
        #expect(pool.outstanding == 0 && body.pendingBytes == 0)
        _ = fill(body, 50_000)
        #expect(pool.outstanding == 0 && body.nextReady == nil)
    }

    @Test("A body that nobody holds any more gives its slabs back")
    func deinitGivesBack() {
        let pool = SlabPool()
        do { _ = fill(RequestBody(pool: pool), 20_000) }
        #expect(pool.outstanding == 0)
    }

    @Test("Of an unfinished body at least 256 bytes are left, also when its slab is full")
    func keeps() {
        let body = RequestBody(pool: SlabPool())
        let slabBytes = RequestBody.payloadEnd - RequestBody.headRoom
        _ = fill(body, slabBytes + 255)
        #expect(body.nextReady == nil)
        body.append([0x20].span)
        #expect(takeReady(body, isHeld: false).count == slabBytes && body.pendingBytes == 256)
        body.discard()
    }

    @Test("A body trickles byte by byte when nothing is ready, until one byte is left")
    func trickles() throws {
        let pool = SlabPool()
        let body = RequestBody(pool: pool)
        let content = fill(body, 15_200)
        var taken = takeReady(body, isHeld: false)
        let left = body.pendingBytes
        #expect(left == 15_200 - (RequestBody.payloadEnd - RequestBody.headRoom))
        for round in 1..<left {
            #expect(body.trickle(), "byte \(round)")
            #expect(!body.trickle(), "one at a time")
            let slab = try #require(body.nextReady)
            #expect(slab.count == 1 && slab.start >= RequestBody.gapBytes)
            taken += takeReady(body, isHeld: false)
        }
        #expect(!body.trickle() && body.pendingBytes == 1 && pool.outstanding == 1)
        body.complete()
        taken += takeReady(body, isHeld: false)
        #expect(taken == content && body.isHandedOver && pool.outstanding == 0)
    }

    @Test("Nothing trickles that is held, ready, complete or discarded")
    func tricklesNot() {
        let pool = SlabPool()
        let body = RequestBody(pool: pool)
        _ = fill(body, 2_000)
        #expect(!body.trickle(), "nothing was handed over, so it may be sent again")
        _ = fill(body, 40_000)
        #expect(!body.trickle(), "a slab is ready")
        _ = takeReady(body, isHeld: false)
        #expect(body.trickle())
        body.complete()
        #expect(takeReady(body, isHeld: false).count > 0 && !body.trickle())
        let other = RequestBody(pool: pool)
        _ = fill(other, 40_000)
        _ = takeReady(other, isHeld: false)
        #expect(other.trickle())
        other.discard()
        #expect(!other.trickle() && pool.outstanding == 0)
    }

    @Test("What goes in comes out, wherever it trickles", arguments: 1...40)
    func tricklesAnywhere(_ seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let pool = SlabPool()
        let body = RequestBody(pool: pool)
        let content = generator.bytes(Int.random(in: 1...80_000, using: &generator))
        var taken: [UInt8] = []
        var at = 0
        for length in Splits.plan(for: content.count, longest: 20_000, using: &generator) {
            let piece = Array(content[at..<at + length])
            body.append(piece.span)
            at += length
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                if Bool.random(using: &generator) { _ = body.trickle() }
                if Bool.random(using: &generator) { taken += takeReady(body, isHeld: false) }
            }
        }
        body.complete()
        taken += takeReady(body, isHeld: false)
        #expect(taken == content && body.isHandedOver && pool.outstanding == 0)
    }

    @Test("A writer always has at least one byte of room")
    func room() {
        let body = RequestBody(pool: SlabPool())
        var isShort = false
        for _ in 0..<40_000 {
            body.write { region in
                isShort = isShort || region.room == 0
                region.append(0x20)
            }
        }
        #expect(!isShort && body.byteCount == 40_000)
        body.discard()
    }

    /// Edges of slabs, bytes beside them, and the end.
    private static let edges = [
        1, 2, 14_845, 14_846, 14_847, 31_000, 31_219, 31_220, 31_221, 47_594, 60_000,
    ]

    @Test("What is cut out was never written", arguments: edges)
    func cut(from: Int) {
        for end in Self.edges where end >= from {
            let pool = SlabPool()
            let body = RequestBody(pool: pool)
            var content = fill(body, 60_000)
            body.cut(from..<end)
            content.removeSubrange(from..<end)
            #expect(body.byteCount == content.count && body.pendingBytes == content.count)
            #expect(read(body) == content)
            if let first = body.nextReady { #expect(first.start == RequestBody.headRoom) }
            content += fill(body, 20_000)
            var taken = takeReady(body, isHeld: false)
            #expect(body.pendingBytes <= 16_382, "only the last slab waits")
            body.complete()
            taken += takeReady(body, isHeld: false)
            #expect(taken == content && pool.outstanding == 0)
        }
    }

    /// All that is written.
    private func read(_ body: RequestBody) -> [UInt8] {
        var bytes: [UInt8] = []
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 5_000) { memory in
            while bytes.count < body.byteCount {
                var region = Region(memory)
                body.read(at: bytes.count, into: &region)
                bytes.append(bytes: region.bytes)
            }
        }
        return bytes
    }

    @Test("Cuts give slabs back at once, and any number of them leaves what belongs there")
    func cuts() {
        let pool = SlabPool()
        let body = RequestBody(pool: pool)
        var content = fill(body, 1_000)
        var generator = SeededGenerator(seed: 5)
        for round in 0..<300 {
            let count = Int.random(in: 0...40_000, using: &generator)
            content += fill(body, count)
            let start = Int.random(in: 1...content.count, using: &generator)
            let end = round % 2 == 0 ? content.count : min(content.count, start + 20_000)
            body.cut(start..<end)
            content.removeSubrange(start..<end)
            #expect(body.byteCount == content.count)
        }
        body.cut(1..<content.count)
        #expect(pool.outstanding == 1 && body.byteCount == 1)
        body.complete()
        #expect(takeReady(body, isHeld: true) == Array(content.prefix(1)))
        body.rewind()
        #expect(takeReady(body, isHeld: true) == Array(content.prefix(1)))
        body.discard()
        #expect(pool.outstanding == 0)
    }

    @Test("A body that was discarded has nothing to cut out")
    func cutAfterDiscard() {
        let pool = SlabPool()
        let body = RequestBody(pool: pool)
        _ = fill(body, 50_000)
        body.discard()
        body.cut(1..<40_000)
        #expect(read(body, at: 1).isEmpty && pool.outstanding == 0)
    }

    private func read(_ body: RequestBody, at offset: Int) -> [UInt8] {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 100) { memory in
            var region = Region(memory)
            body.read(at: offset, into: &region)
            return region.bytes.copied()
        }
    }
}
