// Base64 text to bytes (RFC 2045 6.8), for text parts. It refuses no input.
//
// Lenient as the RFC demands of mail readers: characters outside the alphabet are skipped, and
// counted unless they are blanks or line ends. Padding ends a quad anywhere, so pieces that were
// encoded separately and joined are decoded correctly.

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

    package init() {}

    /// - Returns: how much of `input` was taken; less than all only when `output` is full.
    package mutating func feed(_ input: Bytes, into output: inout Region) -> Int {
        var taken = 0
        while spill.drain(into: &output) && taken < input.count {
            if quadCount == 0 && paddingDue == 0 {
                taken += decodeRun(input, from: taken, into: &output)
                if taken == input.count { break }
            }
            take(input[taken])
            taken += 1
        }
        return taken
    }

    /// Writes the bytes of a last quad that has no padding.
    /// - Returns: false when that needs more room; call again with the next region.
    package mutating func finish(into output: inout Region) -> Bool {
        guard spill.drain(into: &output) else { return false }
        endQuad()
        return spill.drain(into: &output)
    }

    private mutating func decodeRun(
        _ input: Bytes, from start: Int, into output: inout Region
    ) -> Int {
        var progress = ck_progress()
        input.withUnsafeBufferPointer { source in
            output.withRoom { memory, room in
                progress = ck_base64_decode(
                    source.baseAddress! + start, source.count - start, memory, room)
                return progress.written
            }
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
            spill.append(UInt8(truncatingIfNeeded: bits >> (16 - 8 * i)))
        }
        quad = 0
        quadCount = 0
    }
}
