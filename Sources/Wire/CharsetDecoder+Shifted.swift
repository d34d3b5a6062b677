// The 7-bit charsets with shifts: ISO-2022-JP, ISO-2022-KR, ISO-2022-CN and HZ.
//
// Their shifts are followed here and the characters turned into their 8-bit form (EUC), which
// iconv converts without a state. So the state is the decoder's own, where it can be kept between
// inputs, and code pages' extra characters (NEC row 13) decode as well.
// RFC 1468, 1554, 1557, 1843, 1922. Line ends shift back, as these RFCs demand of the writer.

extension CharsetDecoder {
    mutating func feedShifted(
        _ input: Bytes, into output: inout Region, _ step: IconvStep
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
            // Every character takes 4 bytes at most, so what is gathered will fit.
            var gathered = GatheredCharacters()
            let charactersMax = min(GatheredCharacters.charactersMax, (output.room - 16) / 4)
            while i < input.count
                && gathered.characters + ShiftDecoder.charactersMax <= charactersMax
            {
                shift.take(input[i], into: &gathered)
                i += 1
                if shift.isPlain { break }
            }
            convert(gathered, into: &output, step)
        }
        return i
    }

    private mutating func convert(
        _ gathered: GatheredCharacters, into output: inout Region, _ step: IconvStep
    ) {
        let (taken, outcome) = step.convert(
            gathered.bytes, into: &output, replaced: &replacedCount)
        assert(outcome != .full)
        if taken < gathered.count { replace(into: &output) }
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

    /// Adds one character of up to three bytes; a zero stands for no byte.
    mutating func add(_ first: UInt8, _ second: UInt8 = 0, _ third: UInt8 = 0) {
        storage[count] = first
        count += 1
        if second != 0 {
            storage[count] = second
            count += 1
        }
        if third != 0 {
            storage[count] = third
            count += 1
        }
        characters += 1
    }

    /// Adds what no 8-bit form knows: iconv refuses it, and it becomes U+FFFD.
    mutating func addInvalid() { add(0xFF) }
}

/// Follows the shifts, one byte a call.
struct ShiftDecoder {
    /// Characters that one byte can complete, at most.
    static let charactersMax = 5

    private enum CharacterSet {
        case ascii, kana, double, doubleThird
        /// A set that the 8-bit form does not know.
        case doubleUnknown
    }

    private let scheme: ShiftScheme
    private var active = CharacterSet.ascii
    private var escape: (UInt8, UInt8, UInt8) = (0, 0, 0)
    private var escapeCount = 0
    private var first: UInt8 = 0

    init(_ scheme: ShiftScheme) { self.scheme = scheme }

    /// In ASCII, and nothing begun.
    var isPlain: Bool { active == .ascii && !isCut }

    /// Within an escape sequence or a character.
    var isCut: Bool { escapeCount > 0 || first != 0 }

    /// ASCII, but for what can shift in any scheme.
    static func isPlain(_ byte: UInt8) -> Bool {
        byte < 0x80 && byte != 0x1B && byte != 0x0E && byte != 0x0F && byte != 0x7E
    }

    mutating func take(_ byte: UInt8, into gathered: inout GatheredCharacters) {
        if escapeCount > 0 {
            takeEscape(byte, into: &gathered)
        } else if scheme == .hz ? byte == 0x7E && first == 0 : byte == 0x1B {
            endCut(into: &gathered)
            escape = (byte, 0, 0)
            escapeCount = 1
        } else {
            takeCharacter(byte, into: &gathered)
        }
    }

    private mutating func endCut(into gathered: inout GatheredCharacters) {
        if first != 0 { gathered.addInvalid() }
        first = 0
    }

    private mutating func takeCharacter(_ byte: UInt8, into gathered: inout GatheredCharacters) {
        if byte == 0x0E || byte == 0x0F, scheme != .hz {
            endCut(into: &gathered)
            let shifted: CharacterSet = scheme == .iso2022JP ? .kana : .double
            active = byte == 0x0E ? shifted : .ascii
        } else if byte <= 0x20 || byte == 0x7F {
            endCut(into: &gathered)
            if byte == 0x0A { active = .ascii }
            gathered.add(byte == 0 ? 0x20 : byte)
        } else if first != 0 {
            takeSecond(byte, into: &gathered)
        } else if byte >= 0x80 || (active != .ascii && active != .kana) {
            first = byte
        } else if active == .kana {
            if byte <= 0x5F { gathered.add(0x8E, byte | 0x80) } else { gathered.addInvalid() }
        } else {
            gathered.add(byte)
        }
    }

    private mutating func takeSecond(_ byte: UInt8, into gathered: inout GatheredCharacters) {
        let lead = first
        first = 0
        if lead >= 0x80 {
            // An 8-bit character, although the charset has none: read it if it is a pair of EUC.
            if (0xA1...0xFE).contains(lead) && byte >= 0xA1 { return gathered.add(lead, byte) }
            gathered.addInvalid()
            return byte < 0x80 ? takeCharacter(byte, into: &gathered) : ()
        }
        switch active {
        case .doubleThird: gathered.add(0x8F, lead | 0x80, byte | 0x80)
        case .doubleUnknown: gathered.addInvalid()
        default: gathered.add(lead | 0x80, byte | 0x80)
        }
    }

    private mutating func takeEscape(_ byte: UInt8, into gathered: inout GatheredCharacters) {
        if scheme == .hz { return takeTilde(byte, into: &gathered) }
        switch escapeCount {
        case 1: escape.1 = byte
        case 2: escape.2 = byte
        default: break
        }
        escapeCount += 1
        let middle = escapeCount == 2 ? 0 : escape.2
        switch (escape.1, middle, escapeCount) {
        case (0x28, 0, 2), (0x24, 0, 2), (0x2E, 0, 2): return  // ESC ( or ESC $ or ESC .
        case (0x28, let final, 3): return designate(final == 0x49 ? .kana : .ascii)
        case (0x2E, _, 3): return escapeCount = 0  // ISO-2022-JP-2's Latin and Greek
        case (0x24, 0x28, 3), (0x24, 0x29, 3), (0x24, 0x2A, 3): return  // ESC $ ( and the like
        case (0x24, let final, 3): return designate(doubleSet(final))
        case (0x24, 0x28, 4): return designate(doubleSet(byte))
        // SO designations of KR and CN: the set is used once SO shifts to it.
        case (0x24, 0x29, 4), (0x24, 0x2A, 4): return escapeCount = 0
        default: abandonEscape(into: &gathered)
        }
    }

    private mutating func designate(_ newSet: CharacterSet) {
        active = newSet
        escapeCount = 0
    }

    /// The set that the last byte of ESC $ or ESC $ ( names (RFC 1468 and 1554, JIS X 0213).
    private func doubleSet(_ final: UInt8) -> CharacterSet {
        switch final {
        case 0x40, 0x42, 0x4F, 0x51: .double
        case 0x44: .doubleThird
        default: .doubleUnknown
        }
    }

    /// No escape sequence that is known: ESC becomes U+FFFD, what follows it is text.
    private mutating func abandonEscape(into gathered: inout GatheredCharacters) {
        let held = escape
        let count = escapeCount
        escapeCount = 0
        gathered.addInvalid()
        if count > 1 { takeCharacter(held.1, into: &gathered) }
        if count > 2 { takeCharacter(held.2, into: &gathered) }
    }

    /// HZ: `~{` and `~}` shift, `~~` is a tilde, a tilde at a line's end joins lines (RFC 1843).
    private mutating func takeTilde(_ byte: UInt8, into gathered: inout GatheredCharacters) {
        switch byte {
        case 0x7B: designate(.double)
        case 0x7D: designate(.ascii)
        case 0x7E:
            escapeCount = 0
            gathered.add(0x7E)
        case 0x0D: break
        case 0x0A: escapeCount = 0
        default:
            escapeCount = 0
            gathered.add(0x7E)
            takeCharacter(byte, into: &gathered)
        }
    }
}
