// The 7-bit charsets with shifts: ISO-2022-JP, ISO-2022-KR, ISO-2022-CN and HZ.
//
// Their shifts are followed by `ShiftDecoder`, and the characters turned into their 8-bit form
// (EUC), which iconv converts without a state. So the state is the decoder's own, where it can be
// kept between inputs, and code pages' extra characters (NEC row 13) decode as well. Between two
// shifts most text is pairs of one set: they are converted as runs.
// RFC 1468, 1554, 1557, 1843, 1922. Line ends shift back, as these RFCs demand of the writer.

import Glibc

extension CharsetDecoder {
    /// Bytes of room for one character, so that what is gathered always fits: two scalars, in
    /// JIS X 0213.
    private static let roomOfCharacter = 8
    /// Left free for what iconv needs.
    private static let roomOfFlush = 16

    mutating func feedShifted(
        _ input: Bytes, into output: inout Region, _ home: iconv_t
    ) -> Int {
        var i = 0
        while i < input.count && output.room >= Self.roomMin {
            if shift.isPlain {
                let run = plainRun(input, from: i)
                if run > i {
                    i += output.append(input.extracting(i..<run))
                    continue
                }
            }
            if let repertoire = shift.pairs {
                let taken = convertPairs(input, from: i, into: &output, step(repertoire, home))
                i += taken
                if taken > 0 { continue }
            }
            i = convertGathered(input, from: i, into: &output, home)
        }
        return i
    }

    /// Takes bytes one by one until text begins that goes faster, or that is of another repertoire;
    /// returns where it stopped.
    private mutating func convertGathered(
        _ input: Bytes, from start: Int, into output: inout Region, _ home: iconv_t
    ) -> Int {
        let charactersMax = min(
            GatheredCharacters.charactersMax,
            (output.room - Self.roomOfFlush) / Self.roomOfCharacter)
        var gathered = GatheredCharacters()
        let repertoire = shift.repertoire
        var i = start
        repeat {
            shift.take(input[i], into: &gathered)
            i += 1
        } while i < input.count && !shift.isPlain && shift.pairs == nil
            && shift.repertoire == repertoire
            && gathered.characters + ShiftDecoder.charactersMax <= charactersMax
        convert(gathered.bytes, into: &output, step(repertoire, home))
        return i
    }

    /// Converts the pairs of printable bytes from `start`; returns how many bytes that were.
    private mutating func convertPairs(
        _ input: Bytes, from start: Int, into output: inout Region, _ step: IconvStep
    ) -> Int {
        let pairsMax = min(256, (output.room - Self.roomOfFlush) / Self.roomOfCharacter)
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 512) { memory in
            var count = 0
            while count < 2 * pairsMax, start + count + 1 < input.count,
                shift.isPairByte(input[start + count]), input[start + count + 1] &- 0x21 < 94
            {
                memory[count] = input[start + count] | 0x80
                memory[count + 1] = input[start + count + 1] | 0x80
                count += 2
            }
            let pairs = UnsafeMutableBufferPointer(rebasing: memory[0..<count])
            convert(UnsafeBufferPointer(pairs).span, into: &output, step)
            return count
        }
    }

    private mutating func convert(
        _ bytes: Bytes, into output: inout Region, _ step: IconvStep
    ) {
        let (taken, outcome) = step.convert(bytes, into: &output, replaced: &replacedCount)
        assert(outcome != .full)
        if taken < bytes.count { replace(into: &output) }
    }

    /// How the 8-bit form of a repertoire is converted.
    private func step(_ repertoire: ShiftRepertoire, _ home: iconv_t) -> IconvStep {
        let lead: MultiByteLead
        switch repertoire {
        case .home: return IconvStep(home, shift.homeLead)
        case .chinese: lead = .gb
        case .korean: lead = .uhc
        case .taiwanese: lead = .eucTW
        case .japanese2004: lead = .eucJISX0213
        }
        let descriptor = cache.descriptor(CharsetLabels.row(of: lead))
        return descriptor.map { IconvStep($0, lead) } ?? IconvStep(home, shift.homeLead)
    }

    /// The end of the bytes from `start` that are plain ASCII and shift nothing.
    private func plainRun(_ input: Bytes, from start: Int) -> Int {
        var i = start
        while i < input.count, ShiftDecoder.isPlain(input[i]) { i += 1 }
        return i
    }
}

/// Characters in their 8-bit form, gathered for one call of iconv.
struct GatheredCharacters {
    static let charactersMax = 28

    private var storage = InlineArray<128, UInt8>(repeating: 0)
    private(set) var count = 0
    private(set) var characters = 0

    var bytes: Bytes {
        @_lifetime(borrow self)
        get { storage.span.extracting(0..<count) }
    }

    /// Adds one character of one or two bytes; a zero stands for no byte.
    mutating func add(_ first: UInt8, _ second: UInt8 = 0) {
        append(first)
        if second != 0 { append(second) }
        characters += 1
    }

    /// Adds a character of two bytes behind a prefix of up to two.
    mutating func add(prefix: (UInt8, UInt8), _ first: UInt8, _ second: UInt8) {
        append(prefix.0)
        if prefix.1 != 0 { append(prefix.1) }
        add(first, second)
    }

    /// Adds what no 8-bit form knows: iconv refuses it, and it becomes U+FFFD.
    mutating func addInvalid() { add(0xFF) }

    private mutating func append(_ byte: UInt8) {
        storage[count] = byte
        count += 1
    }
}
