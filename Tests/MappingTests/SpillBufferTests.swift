// Bytes in memory and in the file: read back, bounded, given back, and failures.

import Foundation
import Reactor
import TestSupport
import Testing
import Wire

@testable import Mapping

@Suite("Bytes that have to wait")
struct SpillBufferTests {
    private func write(_ bytes: [UInt8], to buffer: SpillBuffer) { buffer.append(bytes.span) }

    @Test(
        "what was written is read back, from memory and file",
        arguments: [0, 1, Slab.capacity, 2 * Slab.capacity, 1 << 20])
    func roundTrip(memoryBytesMax: Int) {
        let pool = SlabPool()
        let buffer = SpillBuffer(
            pool: pool, memoryBytesMax: memoryBytesMax, folder: NSTemporaryDirectory())
        var expected: [UInt8] = []
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<60 {
            let count = Int.random(in: 0...5_000, using: &generator)
            let piece = generator.bytes(count)
            write(piece, to: buffer)
            expected += piece
            if expected.count % 3 == 0 { #expect(buffer.contents() == expected) }
        }
        #expect(buffer.contents() == expected)
        #expect(buffer.isSpilled == (memoryBytesMax < 1 << 20))
        #expect(pool.outstanding <= memoryBytesMax / Slab.capacity + 1)
        buffer.discard()
        #expect(pool.outstanding == 0)
        write([1, 2, 3], to: buffer)
        #expect(buffer.contents() == [1, 2, 3])
        buffer.discard()
    }

    @Test("a file that can't be made is a failure, not a crash, and memory stays bounded")
    func noFolder() {
        let pool = SlabPool()
        let buffer = SpillBuffer(pool: pool, memoryBytesMax: 0, folder: "/nonexistent/folder")
        let piece = [UInt8](repeating: 1, count: 10_000)
        for _ in 0..<10 { write(piece, to: buffer) }
        #expect(buffer.hasFailed)
        #expect(pool.outstanding == 1)
        buffer.discard()
        #expect(!buffer.hasFailed)
    }

    @Test("no file is left in the folder")
    func unlinked() throws {
        let folder = NSTemporaryDirectory() + "spill-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let buffer = SpillBuffer(pool: SlabPool(), memoryBytesMax: 0, folder: folder)
        write([UInt8](repeating: 1, count: 3 * Slab.capacity), to: buffer)
        #expect(buffer.isSpilled)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
        buffer.discard()
    }
}
