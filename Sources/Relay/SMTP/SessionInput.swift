// What a session has been sent and has not used yet, and how it is framed.
//
// Lines and content are found in the received span itself. Only what is left at the end of an event
// is copied here: the beginning of a line, or what arrived behind something that we must wait for.
// It is wiped when it has been used, because it may hold a key.

import Glibc
import Wire

/// Framing of commands and DATA, and the bytes in hand.
struct SessionInput {
    enum Piece: Equatable {
        case line(Range<Int>)
        /// A line over the limit has ended.
        case tooLong
        case content(Range<Int>)
        /// A CR that belongs to the content and is not in the input any more.
        case literalCR
        case endOfData
        /// Nothing whole is left; what is behind the offset is to be kept.
        case needInput
    }

    /// Bytes in hand, used ones in front.
    struct Kept {
        fileprivate(set) var bytes: [UInt8] = []
        fileprivate(set) var start = 0
    }

    /// Larger buffers are not kept for later.
    private static let keptCapacityMax = 4_096

    private var lines = LineReader()
    private var dots = DotReader()
    private var kept = Kept()

    /// Nothing is in hand.
    var isEmpty: Bool { kept.bytes.isEmpty }
    var keptByteCount: Int { kept.bytes.count - kept.start }
    /// Command lines that ended with a bare LF.
    var bareLineFeeds: Int { lines.bareLineFeeds }

    // MARK: Framing

    /// The next command line. `offset` is moved behind it, or to where to keep bytes from.
    mutating func nextLine(_ input: Bytes, _ offset: inout Int, lineBytesMax: Int) -> Piece {
        switch lines.next(input, from: offset, lineBytesMax: lineBytesMax) {
        case .line(let range, let next):
            offset = next
            return .line(range)
        case .tooLong(let next):
            offset = next
            return .tooLong
        case .needInput(let keepFrom):
            offset = keepFrom
            return .needInput
        }
    }

    /// The next piece of DATA. `offset` is moved behind it.
    mutating func nextContent(_ input: Bytes, _ offset: inout Int) -> Piece {
        switch dots.next(input, &offset) {
        case .content(let range): return .content(range)
        case .literalCR: return .literalCR
        case .needInput: return .needInput
        case .end(let next):
            offset = next
            return .endOfData
        }
    }

    // MARK: Bytes in hand

    /// Copies `bytes` behind what is in hand.
    mutating func keep(_ bytes: Bytes) {
        bytes.withUnsafeBufferPointer { kept.bytes.append(contentsOf: $0) }
    }

    /// Hands the bytes over; `restore` must follow.
    mutating func take() -> Kept {
        var taken = Kept()
        swap(&taken, &kept)
        return taken
    }

    /// Gives them back, used up to offset `end` of `Kept.bytes`.
    mutating func restore(_ taken: consuming Kept, usedTo end: Int) {
        assert(kept.bytes.isEmpty && end >= taken.start && end <= taken.bytes.count)
        swap(&taken, &kept)
        wipe(kept.start..<end)
        kept.start = end
        guard end == kept.bytes.count else { return }
        kept.start = 0
        kept.bytes.removeAll(keepingCapacity: kept.bytes.capacity <= Self.keptCapacityMax)
    }

    /// Forgets everything, for the end of the session.
    mutating func wipe() {
        wipe(0..<kept.bytes.count)
        kept = Kept()
    }

    private mutating func wipe(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        kept.bytes.withUnsafeMutableBytes { memory in
            explicit_bzero(memory.baseAddress! + range.lowerBound, range.count)
        }
    }
}
