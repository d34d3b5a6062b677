// Base64 text to bytes (RFC 2045 6.8), for text parts. It refuses no input.
//
// Lenient as the RFC demands of mail readers: characters outside the alphabet are skipped, and
// counted unless they are blanks or line ends. Padding ends a quad anywhere, so pieces that were
// encoded separately and joined are decoded correctly. Text after the base64 is kept as it stands
// (`Base64Tail`), on a line of its own; lines that have blanks, and one that the input cuts off, are
// looked at before they are decoded.

import CEpoll.Kernels

/// Base64 text to the bytes that it encodes.
package struct Base64Decoder {
    /// Bytes that were not base64 and were left out; blanks and line ends are not counted.
    package private(set) var strayCount = 0

    private var spill = SpillQueue()

    /// Values of the characters of a quad that is not complete, six bits each.
    private var quad: UInt32 = 0
    private var quadCount = 0

    /// Padding characters that still belong to the quad that padding ended.
    private var paddingDue = 0

    /// After the first padding: looks for text.
    private var tail: Base64Tail?
    /// How much of the line that was judged is read again.
    private var replayed = 0
    /// Text follows the base64.
    private var isText = false
    private var lastByte = UInt8.lineFeed
    private var lastDecoded: UInt8 = .lineFeed
    /// There was base64, so that text may follow it.
    private var hasDecoded = false

    package init() {}

    /// - Returns: how much of `input` was taken; less than all only when `output` is full.
    package mutating func feed(_ input: Bytes, into output: inout Region) -> Int {
        var taken = 0
        var lines = Base64Lines()
        while spill.drain(into: &output) && taken < input.count {
            if isText {
                guard writeHeldText(into: &output) else { break }
                taken += output.append(input.extracting(taken..<input.count))
                break
            }
            if tail != nil {
                taken += feedTail(input, from: taken, into: &output)
                continue
            }
            if quadCount == 0 && paddingDue == 0 {
                // No farther than what fits into the output, so that each byte is searched once or twice.
                let front = input.extracting(
                    0..<min(input.count, taken + 2 * output.room + Base64Tail.lineBytesMax))
                let end =
                    hasDecoded && isLineStart(input, at: taken)
                    ? lines.endOfRun(front, from: taken) : lines.endOfLine(front, from: taken)
                let isRun = taken < end
                taken += decodeRun(input.extracting(taken..<end), into: &output)
                if isRun, taken == end { continue }
                if !isRun || hasDecoded && isRowOfSigns(input, at: taken) {
                    tail = Base64Tail()
                    tail?.beginLine(.strict)
                    continue
                }
            }
            take(input[taken])
            taken += 1
        }
        if taken > 0 { lastByte = input[taken - 1] }
        return taken
    }

    /// Writes the bytes of a last quad that has no padding.
    /// - Returns: false when that needs more room; call again with the next region.
    package mutating func finish(into output: inout Region) -> Bool {
        guard spill.drain(into: &output) else { return false }
        if !isText, let open = tail, open.isAtLine {
            if replayed == 0, open.finish() == .text {
                beginText()
            } else {
                guard replay(into: &output) else { return false }
            }
        }
        if isText { return writeHeldText(into: &output) }
        endQuad()
        return spill.drain(into: &output)
    }

    private mutating func decodeRun(_ input: Bytes, into output: inout Region) -> Int {
        guard !input.isEmpty else { return 0 }
        var progress = ck_progress()
        input.withUnsafeBufferPointer { source in
            output.withRoom { memory, room in
                progress = ck_base64_decode(source.baseAddress!, source.count, memory, room)
                return progress.written
            }
        }
        if progress.written > 0 {
            lastDecoded = output.bytes[output.count - 1]
            hasDecoded = true
        }
        return progress.taken
    }

    private mutating func take(_ byte: UInt8) {
        let value = ck_base64_value(byte)
        if value < 0x40 {
            paddingDue = 0
            quad = quad << 6 | UInt32(value)
            quadCount += 1
            if quadCount == 4 { endQuad() }
        } else if byte == 0x3D {
            takePadding()
        } else if value != 0x40 {
            strayCount += 1
        }
    }

    private mutating func takePadding() {
        if quadCount >= 2 {
            paddingDue = 3 - quadCount
            endQuad()
            if tail == nil { tail = Base64Tail() }
            tail?.padded()
        } else if paddingDue > 0 {
            paddingDue -= 1
        } else {
            strayCount += 1
        }
    }

    /// The bytes of the quad so far; a single character encodes no byte and is a stray.
    private mutating func endQuad() {
        if quadCount == 1 { strayCount += 1 }
        let bits = quad << (24 - 6 * quadCount)
        for i in 0..<max(0, quadCount - 1) {
            lastDecoded = UInt8(truncatingIfNeeded: bits >> (16 - 8 * i))
            spill.append(lastDecoded)
            hasDecoded = true
        }
        quad = 0
        quadCount = 0
    }
}

// MARK: - Text after it

extension Base64Decoder {
    private func isLineStart(_ input: Bytes, at: Int) -> Bool {
        (at > 0 ? input[at - 1] : lastByte) == .lineFeed
    }

    /// Whether a line that has no letter begins at `at`.
    private func isRowOfSigns(_ input: Bytes, at: Int) -> Bool {
        let byte = input[at]
        return isLineStart(input, at: at) && byte.base64Value == nil && !byte.isWhitespace
            && byte != .equalsSign
    }

    /// Takes bytes of `input` after the first padding; returns how many.
    private mutating func feedTail(
        _ input: Bytes, from start: Int, into output: inout Region
    ) -> Int {
        if replayed > 0 {
            _ = replay(into: &output)
            return 0
        }
        let byte = input[start]
        guard tail?.isAtLine == true else {
            take(byte)
            if byte == .lineFeed { tail?.beginLine(.afterPadding) }
            return 1
        }
        switch tail?.add(byte) {
        case .text: beginText()
        case .base64: _ = replay(into: &output)
        case .needMore, nil: break
        }
        return 1
    }

    /// Decodes the line that was held, which is base64; false when the region is full.
    private mutating func replay(into output: inout Region) -> Bool {
        guard let line = tail?.held else { return true }
        while replayed < line.count {
            guard spill.drain(into: &output) else { return false }
            take(line[replayed])
            replayed += 1
        }
        replayed = 0
        tail?.endLine()
        if tail?.isAfterPadding == false {
            tail = nil
        } else if line.last == .lineFeed {
            tail?.beginLine(.afterPadding)
        }
        return true
    }

    private mutating func beginText() {
        endQuad()
        isText = true
        strayCount += 1
        // The text begins on a line of its own; the end of the last line of base64 is no part of it.
        if lastDecoded != .lineFeed {
            spill.append(.carriageReturn)
            spill.append(.lineFeed)
        }
    }

    /// False when the region is full.
    private mutating func writeHeldText(into output: inout Region) -> Bool {
        guard spill.drain(into: &output) else { return false }
        guard let line = tail?.held, replayed < line.count else { return true }
        replayed += output.append(line.span.extracting(replayed..<line.count))
        return replayed == line.count
    }
}

/// Where lines of one input end. What was found is kept, so that each byte is searched once.
private struct Base64Lines {
    private var lineEnd = 0
    private var blank = -1
    private var runEnd = 0

    /// The end of the line that goes on at `at`.
    mutating func endOfLine(_ input: Bytes, from at: Int) -> Int {
        if at >= lineEnd {
            lineEnd = input.firstIndex(of: .lineFeed, from: at).map { $0 + 1 } ?? input.count
        }
        return lineEnd
    }

    /// The end of the whole lines without a blank from `at`, where a line begins.
    mutating func endOfRun(_ input: Bytes, from at: Int) -> Int {
        if at > blank {
            blank = input.firstIndex(of: 0x20, from: at) ?? input.count
            runEnd = blank
            while runEnd > at, input[runEnd - 1] != .lineFeed { runEnd -= 1 }
        }
        return runEnd
    }
}
