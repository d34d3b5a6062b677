// Decoding by glibc's iconv: charsets with several bytes per character, and the 8-bit form of the
// charsets with shifts.
//
// All decoders of a loop share a descriptor, so no state may remain in it: a conversion that may
// leave state there flushes it at the end. iconv takes nothing of a cut character; the caller keeps
// those bytes.

import Glibc

/// One conversion, and what to do where iconv refuses.
struct IconvStep {
    enum Outcome { case done, full, incomplete }

    /// iconv is not called with less room: its flush must always fit.
    private static let roomMin = 16
    /// Left free for the flush; the longest text that iconv holds back in any charset has 4 bytes.
    private static let flushBytes = 8

    private let descriptor: iconv_t
    private let lead: MultiByteLead
    private let repairs: CharsetRepairs

    init(_ descriptor: iconv_t, _ lead: MultiByteLead) {
        self.descriptor = descriptor
        self.lead = lead
        repairs = CharsetRepairs(lead)
    }

    /// Converts `bytes`; a character that iconv refuses becomes U+FFFD. `.incomplete`: the rest is
    /// the beginning of a character.
    func convert(
        _ bytes: Bytes, into output: inout Region, replaced: inout Int
    ) -> (taken: Int, outcome: Outcome) {
        var taken = 0
        var end = 0
        while taken < bytes.count {
            guard output.room >= Self.roomMin else { return (taken, .full) }
            if taken >= end { end = repairs.endOfTrusted(bytes, from: taken) }
            let (step, reason) =
                end > taken ? call(bytes.extracting(taken..<end), into: &output) : (0, EILSEQ)
            taken += step
            switch reason {
            case 0: break
            case EINVAL where end == bytes.count && !isRefusedLate(bytes, at: taken):
                return (taken, .incomplete)
            case E2BIG: return (taken, .full)
            default:
                guard output.room >= Self.roomMin else { return (taken, .full) }
                guard let skip = writeRefused(bytes, taken, into: &output, &replaced)
                else { return (taken, .incomplete) }
                taken += skip
            }
        }
        return (taken, .done)
    }

    /// Writes the replacement of the character that iconv refused, and returns how many bytes of
    /// input that takes; nil when more input is needed to tell.
    private func writeRefused(
        _ bytes: Bytes, _ at: Int, into output: inout Region, _ replaced: inout Int
    ) -> Int? {
        // An iconv that refuses a character and takes it anyway must not lead us past the end.
        guard at < bytes.count else {
            output.append(scalar: 0xFFFD)
            replaced += 1
            return 0
        }
        if let known = repairs.known(bytes, at: at) {
            output.append(scalar: known.scalar)
            return known.length
        }
        guard let skip = refusedBytes(bytes, at: at) else { return nil }
        output.append(scalar: 0xFFFD)
        replaced += 1
        return skip
    }

    /// Whether the charset has letters that iconv keeps until it has seen the next one, which may
    /// compose with them. The other charsets have no state, and a needless second call costs as
    /// much as ten characters.
    private var holdsBack: Bool { lead == .big5 || lead == .eucJISX0213 }

    /// Calls iconv, and flushes it where it may hold text back. Returns the bytes taken and errno,
    /// 0 for success.
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
                        if holdsBack { iconv(descriptor, nil, nil, &target, &outputLeft) }
                    }
                    return room - outputLeft
                }
            }
        }
        return (bytes.count - inputLeft, reason)
    }

    /// Whether the bytes at `start` are certainly no character, although iconv asks for more: it
    /// wants all four bytes of a GB 18030 character before it looks at the third.
    private func isRefusedLate(_ bytes: Bytes, at start: Int) -> Bool {
        lead == .gb && start + 2 < bytes.count && bytes[start + 2] < 0x81
    }

    /// How many bytes one U+FFFD replaces where iconv refused: a lead byte and the 8-bit bytes that
    /// belong to it, so that the next character is read in step. It never includes an ASCII byte.
    /// Nil when more input is needed to tell.
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
        case (.eucJP, 0x8F), (.eucJISX0213, 0x8F): 3
        case (.eucJP, 0x8E), (.eucJISX0213, 0x8E): 2
        case (.eucJP, 0x81..<0xA1), (.eucJISX0213, 0x81..<0xA1): 1
        case (.eucTW, 0x8E): 4
        case (.eucTW, 0x81..<0xA1): 1
        default: 2
        }
    }
}
