// Passes base64 text on without decoding it (RFC 4648 4, RFC 2045 6.8): without blanks and line
// ends, the alphabet checked, always in whole quads, with canonical padding at the end.
//
// Every attachment goes through here, so most bytes go through one kernel that copies while it
// checks. If padding turns out to be in the middle (parts that were encoded separately and joined),
// the text after it is decoded and encoded again until both are in step. Readable text after the
// base64 (`Base64Tail`) is no part of the file and is left out; the kernel stops after an empty line,
// where it most often begins.

import CEpoll.Kernels

/// Base64 text to base64 text on one line.
package struct Base64Filter {
    /// Bytes that were not base64 and were left out: strays, needless padding, a last character
    /// that encodes no byte. Blanks and line ends are not counted.
    package private(set) var strayCount = 0

    /// Bytes that the text written so far encodes.
    package private(set) var decodedCount = 0

    private var spill = SpillQueue()

    /// Values of the characters of a quad that is not complete, six bits each.
    private var quad: UInt32 = 0
    private var quadCount = 0

    /// The last character was padding, after `quadCount` characters of a quad.
    private var isPadded = false
    private var paddingCount = 0

    /// While the quads of output and input are not in step: the one or two bytes that the next
    /// triple of the output begins with.
    private var carry: UInt32 = 0
    private var carryCount = 0

    /// After the first padding: looks for text.
    private var tail: Base64Tail?
    /// How much of the line that was judged is read again.
    private var replayed = 0
    /// Text followed the base64, and was left out.
    package private(set) var hasText = false
    private var lastByte = UInt8.lineFeed
    /// Line feeds in the white space at the end of what was taken.
    private var lineFeeds = 0

    package init() {}

    /// - Returns: how much of `input` was taken; less than all only when `output` is full.
    package mutating func feed(_ input: Bytes, into output: inout Region) -> Int {
        var taken = 0
        while spill.drain(into: &output) && taken < input.count {
            if tail != nil {
                taken += feedTail(input, from: taken)
                continue
            }
            if taken == 0, lineFeeds > 0, input[0].isWhitespace {
                // Whether there is an empty line is seen at its end.
                while taken < input.count, input[taken].isWhitespace { taken += 1 }
                continue
            }
            if beginsAfterEmptyLine(input, at: taken) {
                tail = Base64Tail()
                tail?.beginLine(.afterEmptyLine)
                continue
            }
            if carryCount == 0 && !isPadded && output.room >= 8 {
                let start = taken
                taken += copyRun(input, from: taken, into: &output)
                if taken == input.count { break }
                if taken > start, input[taken - 1].isWhitespace { continue }
            }
            if quadCount == 0, decodedCount > 0, isRowOfSigns(input, at: taken) {
                tail = Base64Tail()
                tail?.beginLine(.strict)
                continue
            }
            take(input[taken])
            taken += 1
        }
        if taken > 0 {
            lastByte = input[taken - 1]
            lineFeeds = lastByte.isWhitespace ? lineFeeds(input, before: taken) : 0
        }
        return taken
    }

    /// Writes the last quad with its padding.
    /// - Returns: false when that needs more room; call again with the next region.
    package mutating func finish(into output: inout Region) -> Bool {
        guard spill.drain(into: &output) else { return false }
        if let open = tail, open.isAtLine, !hasText {
            if replayed == 0, open.finish() == .text { hasText = true }
            while !hasText, tail?.held.isEmpty == false {
                replay()
                guard spill.drain(into: &output) else { return false }
            }
        }
        if quadCount == 1 { strayCount += 1 }
        let bytes = endQuad()
        if carryCount == 0 {
            if bytes.count > 0 { spillTriple(bytes.value << (24 - 8 * bytes.count), bytes.count) }
        } else {
            for i in 0..<bytes.count {
                carryByte(UInt8(truncatingIfNeeded: bytes.value >> (8 * (bytes.count - 1 - i))))
            }
            if carryCount > 0 { spillTriple(carry << (24 - 8 * carryCount), Int(carryCount)) }
        }
        carry = 0
        carryCount = 0
        return spill.drain(into: &output)
    }

    /// Copies a run of the alphabet. Only whole quads stay in the region; the rest of the last one
    /// goes back into `quad`, because padding may follow.
    private mutating func copyRun(
        _ input: Bytes, from start: Int, into output: inout Region
    ) -> Int {
        let before = output.count
        for i in 0..<quadCount { output.append(Self.character(quad >> (6 * (quadCount - 1 - i)))) }
        var progress = ck_progress()
        input.withUnsafeBufferPointer { source in
            output.withRoom { memory, room in
                progress = ck_base64_filter(
                    source.baseAddress! + start, source.count - start, memory, room)
                return progress.written
            }
        }
        let written = output.count - before
        quad = 0
        quadCount = written % 4
        for i in 0..<quadCount {
            quad = quad << 6 | UInt32(ck_base64_value(output.bytes[output.count - quadCount + i]))
        }
        output.truncate(to: output.count - quadCount)
        decodedCount += written / 4 * 3
        return progress.taken
    }

    /// One byte; the text that it completes goes to `spill`, at most eight bytes.
    private mutating func take(_ byte: UInt8) {
        let value = ck_base64_value(byte)
        if value < 0x40 {
            if isPadded { startCarrying() }
            quad = quad << 6 | UInt32(value)
            quadCount += 1
            if quadCount == 4 { endWholeQuad() }
        } else if byte == 0x3D {
            takePadding()
        } else if value != 0x40 {
            strayCount += 1
        }
    }

    /// `=` belongs after two or three characters and completes the quad; any other one is a stray.
    private mutating func takePadding() {
        if quadCount >= 2 && quadCount + paddingCount < 4 {
            isPadded = true
            paddingCount += 1
            if tail == nil { tail = Base64Tail() }
            tail?.padded()
        } else {
            strayCount += 1
        }
    }

    /// Text follows padding: the bytes before it begin the next triple of the output.
    private mutating func startCarrying() {
        let bytes = endQuad()
        for i in 0..<bytes.count {
            carryByte(UInt8(truncatingIfNeeded: bytes.value >> (8 * (bytes.count - 1 - i))))
        }
    }

    private mutating func endWholeQuad() {
        let value = quad
        quad = 0
        quadCount = 0
        if carryCount == 0 {
            spillTriple(value, 3)
        } else {
            carryByte(UInt8(truncatingIfNeeded: value >> 16))
            carryByte(UInt8(truncatingIfNeeded: value >> 8))
            carryByte(UInt8(truncatingIfNeeded: value))
        }
    }

    /// The bytes of an incomplete quad; a new quad begins after it.
    private mutating func endQuad() -> (value: UInt32, count: Int) {
        let bytes: (UInt32, Int) =
            switch quadCount {
            case 2: (quad >> 4, 1)
            case 3: (quad >> 2, 2)
            default: (0, 0)
            }
        quad = 0
        quadCount = 0
        isPadded = false
        paddingCount = 0
        return bytes
    }

    private mutating func carryByte(_ byte: UInt8) {
        carry = carry << 8 | UInt32(byte)
        carryCount += 1
        guard carryCount == 3 else { return }
        spillTriple(carry, 3)
        carry = 0
        carryCount = 0
    }

    /// The quad of the upper `count` bytes of 24 bits, padded if these are fewer than three.
    private mutating func spillTriple(_ bits: UInt32, _ count: Int) {
        decodedCount += count
        for i in 0..<4 {
            spill.append(i <= count ? Self.character(bits >> (18 - 6 * i)) : 0x3D)
        }
    }

    /// The character of the lowest six bits.
    private static func character(_ bits: UInt32) -> UInt8 {
        switch UInt8(truncatingIfNeeded: bits & 63) {
        case let value where value < 26: value + 0x41
        case let value where value < 52: value - 26 + 0x61
        case let value where value < 62: value - 52 + 0x30
        case 62: 0x2B
        default: 0x2F
        }
    }
}

// MARK: - Text after it

extension Base64Filter {
    /// Whether a line that has no letter begins at `at`.
    private func isRowOfSigns(_ input: Bytes, at: Int) -> Bool {
        let before = at > 0 ? input[at - 1] : lastByte
        let byte = input[at]
        return before == .lineFeed && byte.base64Value == nil && !byte.isWhitespace
            && byte != .equalsSign
    }

    /// Whether a line begins at `at`, after base64 and an empty line.
    private func beginsAfterEmptyLine(_ input: Bytes, at: Int) -> Bool {
        guard quadCount == 0, decodedCount > 0, !input[at].isWhitespace,
            at == 0 ? lineFeeds > 1 : input[at - 1].isWhitespace
        else { return false }
        return lineFeeds(input, before: at) > 1
    }

    /// Line feeds in the white space that ends before `end`.
    private func lineFeeds(_ input: Bytes, before end: Int) -> Int {
        var count = 0
        var at = end
        while at > 0, input[at - 1].isWhitespace {
            at -= 1
            if input[at] == .lineFeed { count += 1 }
        }
        return at == 0 ? count + lineFeeds : count
    }

    /// Takes bytes of `input` after the first padding; returns how many. Writes to `spill` alone.
    private mutating func feedTail(_ input: Bytes, from start: Int) -> Int {
        if hasText { return input.count - start }
        if replayed > 0 {
            replay()
            return 0
        }
        let byte = input[start]
        guard tail?.isAtLine == true else {
            take(byte)
            if byte == .lineFeed { tail?.beginLine(.afterPadding) }
            return 1
        }
        switch tail?.add(byte) {
        case .text: hasText = true
        case .base64: replay()
        case .needMore, nil: break
        }
        return 1
    }

    /// Takes one byte of the line that was held, which is base64.
    private mutating func replay() {
        guard let line = tail?.held, replayed < line.count else { return }
        take(line[replayed])
        replayed += 1
        guard replayed == line.count else { return }
        replayed = 0
        tail?.endLine()
        if tail?.isAfterPadding == false {
            tail = nil
        } else if line.last == .lineFeed {
            tail?.beginLine(.afterPadding)
        }
    }
}
