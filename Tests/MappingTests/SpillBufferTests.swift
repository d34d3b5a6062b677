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
        let files = CountedFiles()
        let buffer = SpillBuffer(pool: pool, memoryBytesMax: memoryBytesMax, files: files)
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
        #expect((files.taken > 0) == buffer.isSpilled && files.taken <= expected.count)
        buffer.discard()
        #expect(pool.outstanding == 0 && files.taken == 0)
        write([1, 2, 3], to: buffer)
        #expect(buffer.contents() == [1, 2, 3])
        buffer.discard()
    }

    /// Where a test's buffer spills; counts what it has taken.
    final class CountedFiles: TemporaryFiles {
        let folder: String?
        private let bytesMax: Int
        private let refusal: SpillFailure
        private(set) var taken = 0

        init(
            folder: String? = NSTemporaryDirectory(), bytesMax: Int = .max,
            refusal: SpillFailure = .overBudget
        ) {
            self.folder = folder
            self.bytesMax = bytesMax
            self.refusal = refusal
        }

        func take(_ bytes: Int) -> SpillFailure? {
            guard bytes <= bytesMax - taken else { return refusal }
            taken += bytes
            return nil
        }

        func giveBack(_ bytes: Int) { taken -= bytes }
    }

    /// Each way to find no room, and what it is called.
    static let failures:
        [(name: String, files: @Sendable () -> CountedFiles?, failure: SpillFailure)] = [
            ("no files at all", { nil }, .noFolder),
            ("no folder", { CountedFiles(folder: nil) }, .noFolder),
            ("the budget is spent", { CountedFiles(bytesMax: 40_000) }, .overBudget),
            (
                "the key has its share", { CountedFiles(bytesMax: 0, refusal: .overShare) },
                .overShare
            ),
            ("the folder is gone", { CountedFiles(folder: "/nonexistent") }, .disk(errno: ENOENT)),
            // A folder in which no file can be made, even by root.
            ("the folder is none", { CountedFiles(folder: "/dev/null") }, .disk(errno: ENOTDIR)),
        ]

    @Test("no room is a failure, not a crash; memory stays bounded, and all is given back")
    func failures() {
        for (name, make, failure) in Self.failures {
            let (pool, files) = (SlabPool(), make())
            let buffer = SpillBuffer(pool: pool, memoryBytesMax: 0, files: files)
            let piece = [UInt8](repeating: 1, count: 10_000)
            for _ in 0..<10 { write(piece, to: buffer) }
            #expect(buffer.failure == failure, "\(name)")
            #expect(pool.outstanding == 1, "\(name)")
            buffer.discard()
            #expect(buffer.failure == nil && pool.outstanding == 0, "\(name)")
            #expect((files?.taken ?? 0) == 0, "\(name)")
        }
    }

    @Test("bytes are asked for before they are written, and no more than the file holds")
    func asks() {
        let files = CountedFiles(bytesMax: 3 * Slab.capacity)
        let buffer = SpillBuffer(pool: SlabPool(), memoryBytesMax: Slab.capacity, files: files)
        let slab = [UInt8](repeating: 1, count: Slab.capacity)
        // One slab of memory, one that gathers, and three of the file.
        for count in 0..<5 {
            write(slab, to: buffer)
            #expect(buffer.failure == nil && files.taken == max(0, count - 1) * Slab.capacity)
        }
        write(slab, to: buffer)
        #expect(buffer.failure == .overBudget && files.taken == 3 * Slab.capacity)
        buffer.discard()
        #expect(files.taken == 0)
    }

    @Test("no file is left in the folder")
    func unlinked() throws {
        let folder = NSTemporaryDirectory() + "spill-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let buffer = SpillBuffer(
            pool: SlabPool(), memoryBytesMax: 0, files: CountedFiles(folder: folder))
        write([UInt8](repeating: 1, count: 3 * Slab.capacity), to: buffer)
        #expect(buffer.isSpilled)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
        buffer.discard()
    }
}
