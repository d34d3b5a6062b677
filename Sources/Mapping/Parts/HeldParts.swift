// Texts that wait for the end of the message, because parts after them decide their place.
//
// They are UTF-8 without a transfer encoding, not yet escaped (those that may be files in their own
// charset), one after the other in one `SpillBuffer`: in memory up to a bound and beyond that in a
// file. That they found no room shows in `failure`; the message is then refused.

import Reactor
import Wire

/// The waiting texts of one message after the other; a text is named by its number. Belongs to one
/// mapper.
final class HeldParts {
    private let pool: SlabPool
    private(set) var files: (any TemporaryFiles)?
    /// Made for the first text that waits, and kept.
    private var buffer: SpillBuffer?
    /// Where each complete text is in the buffer.
    private var places: [Range<Int>] = []
    /// Where the text begins that is not complete.
    private var start = 0

    /// Memory for the texts, before they go to a file.
    static let memoryBytesMax = 262_144

    init(pool: SlabPool) { self.pool = pool }

    /// Bytes that wait.
    var byteCount: Int { buffer?.byteCount ?? 0 }

    /// Why texts are lost; nil when none is.
    var failure: SpillFailure? { buffer?.failure }

    /// The number that the next complete text gets.
    var nextNumber: Int { places.count }

    /// A new message, which may spill into `files`.
    func begin(files: (any TemporaryFiles)?) { self.files = files }

    /// Forgets everything.
    func discard() {
        files = nil
        guard let buffer else { return }
        buffer.discard()
        buffer.begin(files: nil)
        places.removeAll(keepingCapacity: true)
        start = 0
    }
}

// MARK: - Writing

extension HeldParts {
    /// A text begins.
    func open() {
        if buffer == nil {
            buffer = SpillBuffer(pool: pool, memoryBytesMax: Self.memoryBytesMax, files: files)
        }
        if places.isEmpty && byteCount == 0 { buffer?.begin(files: files) }
        start = byteCount
    }

    /// Whether `count` more bytes stay in memory.
    func hasMemory(for count: Int) -> Bool { buffer?.hasMemory(for: count) ?? false }

    /// Copies a piece of the open text.
    func append(_ bytes: Bytes) { buffer?.append(bytes) }

    /// The open text is complete, and has a number now.
    func close() { places.append(start..<byteCount) }

    /// The open text is complete, and is not here. It has a number now.
    func closeElsewhere() { places.append(byteCount..<byteCount) }

    /// The open text is complete, and is the one with this number from now on.
    func close(as number: Int) { places[number] = start..<byteCount }

    /// The last complete text takes the place of the one with this number, and loses its own.
    func moveLast(to number: Int) { places[number] = places.removeLast() }

    /// The open text does not wait any more.
    func forget() { buffer?.forget(after: start) }

    /// Bytes of the open text.
    var openByteCount: Int { byteCount - start }
}

// MARK: - Reading

extension HeldParts {
    /// Bytes of a complete text.
    func byteCount(of number: Int) -> Int { places[number].count }

    /// Copies bytes of a complete text from `offset` on into an empty region.
    /// - Returns: how many; 0 at the end, and after a failure.
    func read(_ number: Int, at offset: Int, into region: inout Region) -> Int {
        read(places[number].dropFirst(offset), into: &region)
    }

    /// The same for the open text.
    func readOpen(at offset: Int, into region: inout Region) -> Int {
        read(start + offset..<byteCount, into: &region)
    }

    private func read(_ range: Range<Int>, into region: inout Region) -> Int {
        guard let buffer, !range.isEmpty else { return 0 }
        let count = min(range.count, buffer.read(at: range.lowerBound, into: &region))
        region.truncate(to: count)
        return count
    }
}
