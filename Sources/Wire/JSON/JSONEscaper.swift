// Text to the inside of a JSON string (RFC 8259 7), valid UTF-8 for any input (Unicode 3.9).
//
// Most text goes through one kernel that copies a block and tests it afterwards. Only what the end
// of an input or of a region cuts is handled here, byte by byte. It escapes what the RFC demands
// and nothing else. An invalid sequence becomes U+FFFD by the maximal-subpart rule, so the result
// does not depend on where the input was cut.

import CEpoll.Kernels

/// Writes the inside of a JSON string: valid UTF-8 and escapes, for any input.
package struct JSONEscaper {
    package enum LineEnds { case kept, lineFeed }

    /// Sequences replaced by U+FFFD so far.
    package private(set) var replacedCount = 0

    private let lineEnds: LineEnds
    private var spill = SpillQueue()

    /// The bytes of a character that is not complete yet, the first one lowest.
    private var held: UInt32 = 0
    private var heldCount = 0

    /// With `.lineFeed`: the last byte was a CR whose line end is not written yet.
    private var isAfterCR = false

    /// - Parameter lineEnds: `.lineFeed`, for bodies, writes CRLF and lone CR as `\n` and NUL as
    ///   U+FFFD.
    package init(lineEnds: LineEnds = .kept) { self.lineEnds = lineEnds }

    /// Writes `input`; a character that its end cuts is kept for the next call.
    /// - Returns: how much of `input` was taken; less than all only when `output` is full.
    package mutating func feed(_ input: Bytes, into output: inout Region) -> Int {
        var taken = 0
        while spill.drain(into: &output) && taken < input.count {
            if heldCount == 0 && !isAfterCR {
                taken += escapeRun(input, from: taken, into: &output)
                if taken == input.count { break }
            }
            take(input[taken])
            taken += 1
        }
        return taken
    }

    /// Writes what is kept, at the end of the text.
    /// - Returns: false when that needs more room; call again with the next region.
    package mutating func finish(into output: inout Region) -> Bool {
        guard spill.drain(into: &output) else { return false }
        if isAfterCR {
            isAfterCR = false
            spillEscaped(0x0A)
        }
        if heldCount > 0 {
            heldCount = 0
            held = 0
            spillReplacement()
        }
        return spill.drain(into: &output)
    }

    private mutating func escapeRun(
        _ input: Bytes, from start: Int, into output: inout Region
    ) -> Int {
        var progress = ck_progress()
        let lineFeeds: Int32 = lineEnds == .lineFeed ? 1 : 0
        input.withUnsafeBufferPointer { source in
            output.withRoom { memory, room in
                progress = ck_json_escape(
                    source.baseAddress! + start, source.count - start, memory, room, lineFeeds)
                return progress.written
            }
        }
        replacedCount += progress.replaced
        return progress.taken
    }

    /// One byte; the text that it completes goes to `spill`, at most fifteen bytes.
    private mutating func take(_ byte: UInt8) {
        if isAfterCR {
            isAfterCR = false
            spillEscaped(0x0A)
            if byte == 0x0A { return }
        }
        held |= UInt32(byte) << UInt32(8 * heldCount)
        heldCount += 1
        let length = withUnsafeBytes(of: held.littleEndian) { bytes in
            ck_utf8_sequence(
                bytes.baseAddress!.assumingMemoryBound(to: UInt8.self), heldCount)
        }
        if length == 0 { return }
        let bytes = held
        let count = heldCount
        held = 0
        heldCount = 0
        if length > 0 {
            spillCharacter(bytes, count)
        } else {
            spillReplacement()
            // The held bytes were a valid beginning, so only this byte can start a character.
            if count > 1 { take(byte) }
        }
    }

    private mutating func spillCharacter(_ bytes: UInt32, _ count: Int) {
        let first = UInt8(truncatingIfNeeded: bytes)
        if first == 0x0D && lineEnds == .lineFeed {
            isAfterCR = true
        } else if first == 0 && lineEnds == .lineFeed {
            spillReplacement()
        } else if first < 0x80 {
            spillEscaped(first)
        } else {
            for i in 0..<count { spill.append(UInt8(truncatingIfNeeded: bytes >> (8 * i))) }
        }
    }

    private mutating func spillEscaped(_ byte: UInt8) {
        spill.append(room: 6) { ck_json_escape_byte(byte, $0) }
    }

    private mutating func spillReplacement() {
        replacedCount += 1
        spill.append(0xEF)
        spill.append(0xBF)
        spill.append(0xBD)
    }
}
