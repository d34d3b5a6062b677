// Bytes to base64 on one line (RFC 4648 4): for attachments that come in another encoding.

import CEpoll.Kernels

/// Bytes to base64 without line ends, padded at the end.
package struct Base64Encoder {
    private var spill = SpillQueue()

    /// One or two bytes of a triple that is not complete, at the front.
    private var triple: (UInt8, UInt8, UInt8) = (0, 0, 0)
    private var tripleCount = 0

    package init() {}

    /// - Returns: how much of `input` was taken; less than all only when `output` is full.
    package mutating func feed(_ input: Bytes, into output: inout Region) -> Int {
        var taken = 0
        while spill.drain(into: &output) && taken < input.count {
            if tripleCount == 0 {
                taken += encodeRun(input, from: taken, into: &output)
                if taken == input.count { break }
            }
            take(input[taken])
            taken += 1
        }
        return taken
    }

    /// Writes the last quad with its padding.
    /// - Returns: false when that needs more room; call again with the next region.
    package mutating func finish(into output: inout Region) -> Bool {
        guard spill.drain(into: &output) else { return false }
        let count = tripleCount
        if count > 0 {
            spillTriple { memory in
                memory[3] = 0x3D
                if count == 1 { memory[2] = 0x3D }
            }
        }
        return spill.drain(into: &output)
    }

    private mutating func encodeRun(
        _ input: Bytes, from start: Int, into output: inout Region
    ) -> Int {
        var progress = ck_progress()
        input.withUnsafeBufferPointer { source in
            output.withRoom { memory, room in
                progress = ck_base64_encode(
                    source.baseAddress! + start, source.count - start, memory, room)
                return progress.written
            }
        }
        return progress.taken
    }

    private mutating func take(_ byte: UInt8) {
        switch tripleCount {
        case 0: triple.0 = byte
        case 1: triple.1 = byte
        default: triple.2 = byte
        }
        tripleCount += 1
        if tripleCount == 3 { spillTriple { _ in } }
    }

    private mutating func spillTriple(_ pad: (UnsafeMutablePointer<UInt8>) -> Void) {
        let source = triple
        spill.append(room: 4) { memory in
            withUnsafeBytes(of: source) { bytes in
                _ = ck_base64_encode(
                    bytes.baseAddress!.assumingMemoryBound(to: UInt8.self), 3, memory, 4)
            }
            pad(memory)
            return 4
        }
        triple = (0, 0, 0)
        tripleCount = 0
    }
}
