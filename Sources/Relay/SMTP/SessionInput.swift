// What a session has been sent and has not used yet, and the pieces that it is used in.
//
// Lines and content are found in the received span itself. Only what is left at the end of an event
// is copied here: the beginning of a line, or what arrived while something is awaited. It is wiped
// when it has been used, because it may hold a key.

import Glibc
import Wire

/// What a session finds next in its input. Ranges are into the input.
enum SessionPiece: Equatable {
    case command(Range<Int>)
    /// An answer of an AUTH exchange.
    case response(Range<Int>)
    /// A line over the limit has ended.
    case tooLong
    case content(Range<Int>)
    /// A CR that belongs to the content and is not in the input any more.
    case literalCR
    /// Of the message, or of a chunk.
    case endOfData
    /// Nothing whole is left; what comes after the offset is to be kept.
    case needInput
}

/// The bytes in hand.
struct SessionInput {
    /// Bytes in hand, used ones in front.
    struct Kept {
        fileprivate(set) var bytes: [UInt8] = []
        fileprivate(set) var start = 0
    }

    /// Larger buffers are not kept for later.
    private static let keptCapacityMax = 4_096

    private var kept = Kept()

    /// Nothing is in hand.
    var isEmpty: Bool { kept.bytes.isEmpty }
    var keptByteCount: Int { kept.bytes.count - kept.start }

    /// Copies `bytes` after what is in hand.
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
