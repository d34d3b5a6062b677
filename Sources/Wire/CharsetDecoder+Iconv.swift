// Decoding by glibc's iconv: charsets of several bytes a character, and the 8-bit form of the
// shifted ones.
//
// A descriptor is shared by all decoders of a loop, so nothing may stay in it: every conversion
// ends by flushing it. iconv takes no part of a cut character; such bytes are kept here.

import Glibc

/// One conversion, and what to do where iconv refuses.
struct IconvStep {
    enum Outcome { case done, full, incomplete }

    /// iconv is not called with less: its flush must always fit.
    private static let roomMin = 16
    /// Left free for the flush; the longest held-back text of any charset is 4 bytes.
    private static let flushBytes = 8

    private let descriptor: iconv_t
    private let lead: MultiByteLead

    init(_ descriptor: iconv_t, _ lead: MultiByteLead) {
        self.descriptor = descriptor
        self.lead = lead
    }

    /// Converts `bytes`; what is refused becomes U+FFFD. `.incomplete`: the rest is the beginning
    /// of a character.
    func convert(
        _ bytes: Bytes, into output: inout Region, replaced: inout Int
    ) -> (taken: Int, outcome: Outcome) {
        var taken = 0
        while taken < bytes.count {
            guard output.room >= Self.roomMin else { return (taken, .full) }
            let (step, reason) = call(bytes.extracting(taken..<bytes.count), into: &output)
            taken += step
            switch reason {
            case 0: break
            case EINVAL where !isRefusedLate(bytes, at: taken): return (taken, .incomplete)
            case E2BIG: return (taken, .full)
            default:
                guard let skip = refusedBytes(bytes, at: taken) else { return (taken, .incomplete) }
                guard output.room >= Self.roomMin else { return (taken, .full) }
                if let known = knownCharacter(bytes, at: taken) {
                    output.append(scalar: known.scalar)
                    taken += known.length
                } else {
                    output.append(scalar: 0xFFFD)
                    replaced += 1
                    taken += skip
                }
            }
        }
        return (taken, .done)
    }

    /// Calls iconv and flushes it. Returns bytes taken and errno, 0 for success.
    private func call(_ bytes: Bytes, into output: inout Region) -> (taken: Int, reason: Int32) {
        var inputLeft = bytes.count
        var reason: Int32 = 0
        bytes.withUnsafeBufferPointer { source in
            source.withMemoryRebound(to: CChar.self) { source in
                output.withRoom { memory, room in
                    var input = UnsafeMutablePointer(mutating: source.baseAddress)
                    var outputLeft = room - Self.flushBytes
                    memory.withMemoryRebound(to: CChar.self, capacity: room) { start in
                        var target: UnsafeMutablePointer<CChar>? = start
                        if iconv(descriptor, &input, &inputLeft, &target, &outputLeft) == -1 {
                            reason = errno
                        }
                        outputLeft += Self.flushBytes
                        iconv(descriptor, nil, nil, &target, &outputLeft)
                    }
                    return room - outputLeft
                }
            }
        }
        return (bytes.count - inputLeft, reason)
    }

    /// Whether the beginning of a character at `start` can already be told to be none: iconv asks
    /// for all four bytes of a GB 18030 character before it looks at the third.
    private func isRefusedLate(_ bytes: Bytes, at start: Int) -> Bool {
        lead == .gb && start + 2 < bytes.count && bytes[start + 2] < 0x81
    }

    /// What glibc lacks and the WHATWG Encoding Standard has: the euro sign of code page 936, a
    /// few duplicates of Big5.
    private func knownCharacter(
        _ bytes: Bytes, at start: Int
    ) -> (scalar: UInt32, length: Int)? {
        if lead == .gb && bytes[start] == 0x80 { return (0x20AC, 1) }
        guard lead == .big5, start + 1 < bytes.count else { return nil }
        switch (bytes[start], bytes[start + 1]) {
        case (0xA1, 0x5A): return (0x2574, 2)
        case (0xA1, 0xC3): return (0xFFE3, 2)
        case (0xA1, 0xC5): return (0x02CD, 2)
        case (0xA1, 0xFE): return (0xFF0F, 2)
        case (0xA2, 0x40): return (0xFF3C, 2)
        case (0xA2, 0xCC): return (0x5341, 2)
        case (0xA2, 0xCE): return (0x5345, 2)
        case (0xA3, 0xE1): return (0x20AC, 2)
        default: return nil
        }
    }

    /// How many bytes one U+FFFD stands for where iconv refused: a lead byte and the 8-bit bytes
    /// that belong to it, so that the next character is read in step; an ASCII byte is never
    /// swallowed. Nil when more input is needed to tell.
    private func refusedBytes(_ bytes: Bytes, at start: Int) -> Int? {
        let whole = characterBytes(bytes[start])
        var length = 1
        while length < whole {
            guard start + length < bytes.count else { return nil }
            if bytes[start + length] < 0x80 { break }
            length += 1
        }
        return length
    }

    private func characterBytes(_ byte: UInt8) -> Int {
        switch (lead, byte) {
        case (_, 0..<0x81), (_, 0xFF), (.sjis, 0xA0...0xDF), (.sjis, 0xFD...): 1
        case (.eucJP, 0x8F): 3
        case (.eucJP, 0x8E): 2
        case (.eucJP, 0x81..<0xA1): 1
        case (.eucTW, 0x8E): 4
        case (.eucTW, 0x81..<0xA1): 1
        default: 2
        }
    }
}

extension CharsetDecoder {
    mutating func feedMultiByte(
        _ input: Bytes, into output: inout Region, _ step: IconvStep
    ) -> Int {
        var i = 0
        while i < input.count && output.room >= Self.roomMin {
            if carry.count > 0 {
                carry.append(input[i])
                i += 1
                resume(into: &output, step)
                continue
            }
            let run = input.asciiRun(from: i)
            if run > i {
                i += output.append(input.extracting(i..<run))
                continue
            }
            let rest = input.extracting(i..<input.count)
            let (taken, outcome) = step.convert(rest, into: &output, replaced: &replacedCount)
            i += taken
            if outcome == .incomplete {
                keep(input.extracting(i..<input.count), into: &output)
                i = input.count
            }
        }
        return i
    }

    /// Tries what is kept again, now that it is one byte longer.
    private mutating func resume(into output: inout Region, _ step: IconvStep) {
        let kept = carry
        let (taken, outcome) = step.convert(kept.bytes, into: &output, replaced: &replacedCount)
        assert(outcome != .full)
        keep(kept.bytes.extracting(taken..<kept.count), into: &output)
    }

    /// Keeps the beginning of a character. None is as long as `Carry`; were one, it would be
    /// replaced rather than waited for.
    private mutating func keep(_ rest: Bytes, into output: inout Region) {
        if rest.count < Carry.bytesMax {
            carry.keep(rest)
        } else {
            replace(into: &output)
            carry = Carry()
        }
    }
}
