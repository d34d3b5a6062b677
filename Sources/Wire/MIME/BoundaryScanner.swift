// Finds the delimiter lines of all open multiparts in content (RFC 2046 5.1.1).
//
// A delimiter line is `--` boundary [`--`] blanks, alone on its line; the line end before it
// belongs to it. Lines end with CRLF or LF, in any mixture. Every input is used up: bytes that may
// still become a delimiter are kept inside, at most `heldBytesMax`. Only those bytes are copied.
// Base64 passes at the speed of a search for the pair "
// -".

import CEpoll.Kernels

/// Where the bytes of an event are.
package struct Place: Equatable {
    /// The caller's input, or memory of the machine that is valid until its next call.
    package enum Source { case input, held }
    package var source: Source
    package var range: Range<Int>
}

/// Finds the delimiter lines of the boundaries in `stack`.
package struct BoundaryScanner: ~Copyable {
    /// A delimiter line with its trailing blanks may have this many bytes; a longer one is content.
    package static let lineBytesMax = 512
    /// CR, LF and a whole delimiter line.
    package static let heldBytesMax = lineBytesMax + 2

    package enum Verdict: Equatable {
        /// The input is used up.
        case needInput
        case content(Place)
        case delimiter(BoundaryStack.Delimiter)
    }

    /// The boundaries that it looks for.
    package private(set) var stack = BoundaryStack()

    /// [CR] [LF] and the beginning of a line that may be a delimiter.
    private var held: [UInt8] = []
    /// Bytes of `held` that the last verdict gave out.
    private var givenOutBytes = 0
    /// Where the line begins in `held`; nil while only a CR is held.
    private var heldLineStart: Int?
    /// Whether a delimiter may begin at once, because its line end came before.
    private var isAtLineStart = true

    package init() { held.reserveCapacity(Self.heldBytesMax) }

    /// Forgets everything, keeps its memory.
    package mutating func reset() {
        stack.reset()
        held.removeAll(keepingCapacity: true)
        givenOutBytes = 0
        heldLineStart = nil
        isAtLineStart = true
    }

    /// Looks for one more boundary, of a multipart inside the innermost one (`BoundaryStack.push`).
    package mutating func open(_ boundary: Bytes) { stack.push(boundary) }

    /// Leaves every multipart inside that of `level` (`BoundaryStack.popInside`).
    package mutating func closeInside(_ level: Int, isClosed: Bool) {
        stack.popInside(level, isClosed: isClosed)
    }

    /// The next byte is the first one of a line.
    package mutating func beginLine() { isAtLineStart = true }

    /// The next byte was scanned before and does not begin a line.
    package mutating func continueLine() { isAtLineStart = false }
}

// MARK: - Scanning

extension BoundaryScanner {
    /// What comes next in `input` from `offset` on, which is moved forward.
    package mutating func next(_ input: Bytes, _ offset: inout Int) -> Verdict {
        dropGivenOut()
        if !held.isEmpty {
            if let verdict = resume(input, &offset) { return verdict }
        }
        guard offset < input.count else { return .needInput }
        if stack.isEmpty {
            let range = offset..<input.count
            offset = input.count
            return .content(Place(source: .input, range: range))
        }
        return scan(input, &offset)
    }

    /// No more input: the held bytes are a delimiter or content; then `.needInput`.
    package mutating func finish() -> Verdict {
        dropGivenOut()
        guard !held.isEmpty else { return .needInput }
        if let start = heldLineStart,
            let found = stack.delimiter(held.span.extracting(start..<held.count))
        {
            return take(found)
        }
        return giveOut(held.count)
    }

    private enum Candidate {
        case delimiter(BoundaryStack.Delimiter, next: Int)
        /// No delimiter; the search continues at this offset.
        case content(Int)
        /// The input ends before the answer is certain.
        case uncertain
    }

    private func candidate(_ input: Bytes, lineStart: Int) -> Candidate {
        let end = input.count
        if lineStart == end { return .uncertain }
        if input[lineStart] != .hyphen { return .content(lineStart) }
        if lineStart + 1 == end { return .uncertain }
        if input[lineStart + 1] != .hyphen { return .content(lineStart + 1) }
        let limit = min(end, lineStart + Self.lineBytesMax + 1)
        let line = input.extracting(lineStart..<limit)
        guard let length = line.firstIndex(of: .lineFeed, from: 2) else {
            return line.count <= Self.lineBytesMax ? .uncertain : .content(limit)
        }
        guard let found = stack.delimiter(line.extracting(0..<length)) else {
            return .content(lineStart + length)
        }
        return .delimiter(found, next: lineStart + length + 1)
    }

    private mutating func scan(_ input: Bytes, _ offset: inout Int) -> Verdict {
        let start = offset
        var search = start
        if isAtLineStart {
            switch candidate(input, lineStart: start) {
            case .delimiter(let found, let next):
                offset = next
                return take(found)
            case .uncertain: return hold(input, &offset, lineStart: start)
            case .content(let next): search = next
            }
            isAtLineStart = false
        }
        while let lineEnd = Self.firstHyphenLine(input, from: search) {
            let contentEnd = Self.endOfContent(input, start, lineFeed: lineEnd)
            switch candidate(input, lineStart: lineEnd + 1) {
            case .content(let next): search = next
            case .delimiter(let found, let next):
                if contentEnd > start { return content(start..<contentEnd, &offset) }
                offset = next
                return take(found)
            case .uncertain:
                if contentEnd > start { return content(start..<contentEnd, &offset) }
                return hold(input, &offset, lineStart: lineEnd + 1)
            }
        }
        return scanTail(input, &offset)
    }

    /// No delimiter is in the input, but its last line end may belong to one.
    private mutating func scanTail(_ input: Bytes, _ offset: inout Int) -> Verdict {
        let start = offset
        let last = input[input.count - 1]
        guard last == .lineFeed || last == .carriageReturn else {
            return content(start..<input.count, &offset)
        }
        let contentEnd =
            last == .lineFeed
            ? Self.endOfContent(input, start, lineFeed: input.count - 1) : input.count - 1
        if contentEnd > start { return content(start..<contentEnd, &offset) }
        return hold(input, &offset, lineStart: last == .lineFeed ? input.count : nil)
    }

    private func content(_ range: Range<Int>, _ offset: inout Int) -> Verdict {
        offset = range.upperBound
        return .content(Place(source: .input, range: range))
    }

    private static func firstHyphenLine(_ input: Bytes, from start: Int) -> Int? {
        let length = input.count - start
        let found = input.withUnsafeBufferPointer {
            ck_find_pair($0.baseAddress! + start, length, .lineFeed, .hyphen)
        }
        return found == length ? nil : start + found
    }

    private static func endOfContent(_ input: Bytes, _ start: Int, lineFeed: Int) -> Int {
        lineFeed > start && input[lineFeed - 1] == .carriageReturn ? lineFeed - 1 : lineFeed
    }
}

// MARK: - What is held

extension BoundaryScanner {
    private mutating func take(_ found: BoundaryStack.Delimiter) -> Verdict {
        held.removeAll(keepingCapacity: true)
        heldLineStart = nil
        isAtLineStart = true
        return .delimiter(found)
    }

    private mutating func hold(
        _ input: Bytes, _ offset: inout Int, lineStart: Int?
    ) -> Verdict {
        heldLineStart = lineStart.map { $0 - offset }
        append(input, offset..<input.count)
        offset = input.count
        isAtLineStart = false
        return .needInput
    }

    private mutating func append(_ input: Bytes, _ range: Range<Int>) {
        input.extracting(range).withUnsafeBufferPointer { held.append(contentsOf: $0) }
    }

    private mutating func giveOut(_ count: Int) -> Verdict {
        givenOutBytes = count
        heldLineStart = nil
        isAtLineStart = false
        return .content(Place(source: .held, range: 0..<count))
    }

    private mutating func dropGivenOut() {
        guard givenOutBytes > 0 else { return }
        held.removeFirst(givenOutBytes)
        givenOutBytes = 0
    }

    /// The held bytes of the last `.content` verdict.
    package var heldBytes: Bytes {
        @_lifetime(borrow self)
        get { held.span }
    }

    /// Continues what is held; nil when nothing is held any more.
    private mutating func resume(_ input: Bytes, _ offset: inout Int) -> Verdict? {
        while offset < input.count {
            guard let start = heldLineStart else {
                guard input[offset] == .lineFeed else { return giveOut(held.count) }
                append(input, offset..<offset + 1)
                offset += 1
                heldLineStart = held.count
                continue
            }
            guard held.count - start < 2 else { return resumeLine(input, &offset, start) }
            guard input[offset] == .hyphen else { return giveOut(held.count) }
            append(input, offset..<offset + 1)
            offset += 1
        }
        return .needInput
    }

    /// The line begins with two hyphens: continues to its line end.
    private mutating func resumeLine(
        _ input: Bytes, _ offset: inout Int, _ start: Int
    ) -> Verdict {
        let limit = min(input.count, offset + Self.lineBytesMax + 1 - (held.count - start))
        let rest = input.extracting(offset..<limit)
        guard let length = rest.firstIndex(of: .lineFeed) else {
            guard held.count - start + rest.count <= Self.lineBytesMax else {
                return giveOutLine()
            }
            append(input, offset..<limit)
            offset = limit
            return .needInput
        }
        append(input, offset..<offset + length)
        offset += length
        if let found = stack.delimiter(held.span.extracting(start..<held.count)) {
            offset += 1
            return take(found)
        }
        return giveOutLine()
    }

    /// Gives out a line that is no delimiter, except a CR at its end, which may be half of the line
    /// end before the next one.
    private mutating func giveOutLine() -> Verdict {
        giveOut(held.last == .carriageReturn ? held.count - 1 : held.count)
    }
}
