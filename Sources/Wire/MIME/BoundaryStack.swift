// The boundaries of the open multiparts, innermost last, and which of them a line is (RFC 2046
// 5.1).
//
// A delimiter is a whole line: if one boundary is a prefix of another, only the right one matches.
// An outer boundary closes the multiparts inside it. All boundaries are in one array.

import Glibc

/// Answers whether a line is a delimiter, and of which multipart.
package struct BoundaryStack {
    /// A boundary may have this many bytes (RFC 2046 allows 70).
    package static let boundaryBytesMax = 200

    /// A delimiter line: which of the open multiparts it belongs to (0 is the outermost).
    package struct Delimiter: Equatable {
        package var level: Int
        /// With a second `--`: no part follows.
        package var isClose: Bool
    }

    /// All boundaries, one after the other; `ends[level]` is where that of `level` ends.
    private var boundaries: [UInt8] = []
    private var ends: [Int] = []
    /// A bit for every `filterBit` of a boundary, so that most lines need no comparison.
    private var filter: UInt64 = 0
    /// Whether the innermost multipart has had its close delimiter. It stays, so that a part after
    /// a premature close is not lost, but every other open boundary is tried before it.
    private var isTopClosed = false

    package init() {}

    package var isEmpty: Bool { ends.isEmpty }

    /// Forgets all boundaries, keeps the memory.
    package mutating func reset() {
        boundaries.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        filter = 0
        isTopClosed = false
    }

    /// Opens a multipart inside the innermost one.
    /// - Parameter boundary: 1 to `boundaryBytesMax` bytes that do not end with white space.
    package mutating func push(_ boundary: Bytes) {
        precondition(boundary.count > 0 && boundary.count <= Self.boundaryBytesMax)
        boundary.withUnsafeBufferPointer { boundaries.append(contentsOf: $0) }
        ends.append(boundaries.count)
        filter |= Self.filterBit(boundary)
        isTopClosed = false
    }

    /// Leaves every multipart inside that of `level`, which becomes the innermost one.
    package mutating func popInside(_ level: Int, isClosed: Bool) {
        precondition(level < ends.count)
        isTopClosed = isClosed
        guard level + 1 < ends.count else { return }
        ends.removeLast(ends.count - level - 1)
        boundaries.removeLast(boundaries.count - ends[level])
        filter = 0
        for level in 0..<ends.count {
            filter |= Self.filterBit(boundaries.span.extracting(range(of: level)))
        }
    }

    /// Which delimiter `line`, without its line end, is. The innermost is tried first, a closed one
    /// last.
    package func delimiter(_ line: Bytes) -> Delimiter? {
        guard line.count > 2, line[0] == .hyphen, line[1] == .hyphen else { return nil }
        return match(line.extracting(2..<line.count))
    }

    private func range(of level: Int) -> Range<Int> {
        (level == 0 ? 0 : ends[level - 1])..<ends[level]
    }

    /// A bit that depends on length, first and last byte.
    private static func filterBit(_ text: Bytes) -> UInt64 {
        let mixed = text.count &* 7 ^ Int(text[0]) ^ Int(text[text.count - 1]) &* 5
        return 1 << UInt64(mixed & 63)
    }

    /// `line` begins after the first two hyphens.
    private func match(_ line: Bytes) -> Delimiter? {
        var length = line.count
        while length > 0, line[length - 1].isWhitespace { length -= 1 }
        guard length > 0, length <= Self.boundaryBytesMax + 2 else { return nil }
        let whole = line.extracting(0..<length)
        let isOpen = filter & Self.filterBit(whole) != 0
        var isClose = false
        if length > 2, line[length - 1] == .hyphen, line[length - 2] == .hyphen {
            isClose = filter & Self.filterBit(line.extracting(0..<length - 2)) != 0
        }
        guard isOpen || isClose else { return nil }
        return find(whole)
    }

    private func find(_ whole: Bytes) -> Delimiter? {
        let openCount = ends.count - (isTopClosed ? 1 : 0)
        for level in stride(from: openCount - 1, through: 0, by: -1) {
            if let found = compare(whole, with: level) { return found }
        }
        return isTopClosed ? compare(whole, with: openCount) : nil
    }

    private func compare(_ whole: Bytes, with level: Int) -> Delimiter? {
        let range = range(of: level)
        let isClose = whole.count == range.count + 2
        guard isClose || whole.count == range.count else { return nil }
        if isClose {
            guard whole[range.count] == .hyphen, whole[range.count + 1] == .hyphen else {
                return nil
            }
        }
        let isSame = boundaries.span.extracting(range).withUnsafeBufferPointer { mine in
            whole.withUnsafeBufferPointer {
                memcmp($0.baseAddress!, mine.baseAddress!, mine.count) == 0
            }
        }
        return isSame ? Delimiter(level: level, isClose: isClose) : nil
    }
}
