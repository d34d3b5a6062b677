// Follows the escape sequences and shifts of ISO-2022-JP, ISO-2022-KR, ISO-2022-CN and HZ, one byte
// per call, and writes each character in the 8-bit form (EUC) of its repertoire.
//
// ISO/IEC 2022; RFC 1468 and 1554 (JP), 1557 (KR), 1922 (CN), 1843 (HZ), JIS X 0213 (JP-3). Not
// supported: the Latin and Greek halves that ISO-2022-JP-2 reaches by single shifts.

/// The repertoire whose 8-bit form a character is written in.
enum ShiftRepertoire {
    /// The charset's own.
    case home
    case chinese, korean, taiwanese, japanese2004
}

/// The state of the shifts between two bytes.
struct ShiftDecoder {
    /// How many characters one byte can complete, at most.
    static let charactersMax = 5

    /// What the bytes 0x21 to 0x7E mean.
    private enum CharacterSet: Equatable {
        case ascii, kana
        /// Pairs whose 8-bit form has the high bits set.
        case pairs(ShiftRepertoire)
        /// The same with a prefix before them: EUC's third and further sets.
        case prefixed(ShiftRepertoire, UInt8, UInt8)
        /// A set without an 8-bit form.
        case unknown
    }

    private let scheme: ShiftScheme
    private var active = CharacterSet.ascii
    /// The set that SO shifts to.
    private var shiftedOut: CharacterSet
    /// The set of the next character only, whatever is active (SS2 and SS3 of ISO-2022-CN).
    private var single: CharacterSet?
    /// The CNS 11643 plane that SS3 reaches; 0 for none.
    private var plane: UInt8 = 0
    private var escape: (UInt8, UInt8, UInt8) = (0, 0, 0)
    private var escapeCount = 0
    private var first: UInt8 = 0

    init(_ scheme: ShiftScheme) {
        self.scheme = scheme
        shiftedOut = scheme == .iso2022JP ? .kana : .pairs(.home)
    }

    /// 8-bit bytes that are no UTF-8 came: they, and those after them, are the 8-bit form.
    private(set) var isEightBit = false

    /// Bytes came that are no UTF-8.
    mutating func readEightBit() { isEightBit = true }

    /// Whether `byte` may begin a character of UTF-8, which 7-bit text should not have.
    func mayBeForeign(_ byte: UInt8) -> Bool { byte >= 0x80 && !isEightBit && !isCut }

    /// The active set is ASCII, and no sequence or character has begun.
    var isPlain: Bool { active == .ascii && !isCut && single == nil }

    /// An escape sequence or a character has begun.
    var isCut: Bool { escapeCount > 0 || first != 0 }

    /// How long the characters of the charset's own 8-bit form are.
    var homeLead: MultiByteLead {
        switch scheme {
        case .iso2022JP: .eucJP
        case .iso2022KR: .uhc
        case .iso2022CN, .hz: .gb
        }
    }

    /// The repertoire that the next character is written in.
    var repertoire: ShiftRepertoire {
        switch single ?? active {
        case .pairs(let repertoire), .prefixed(let repertoire, _, _): repertoire
        case .ascii, .kana, .unknown: .home
        }
    }

    /// The repertoire of the next pairs, if it is enough to set their high bits.
    var pairs: ShiftRepertoire? {
        guard !isCut, single == nil, case .pairs(let repertoire) = active else { return nil }
        return repertoire
    }

    /// Whether `byte` begins a pair, in a set of pairs.
    func isPairByte(_ byte: UInt8) -> Bool {
        byte &- 0x21 < 94 && (scheme != .hz || byte != 0x7E)
    }

    /// ASCII, except for the bytes that can shift in any scheme.
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
        single = nil
    }

    private mutating func takeCharacter(_ byte: UInt8, into gathered: inout GatheredCharacters) {
        let current = single ?? active
        if byte == 0x0E || byte == 0x0F, scheme != .hz {
            endCut(into: &gathered)
            active = byte == 0x0E ? shiftedOut : .ascii
        } else if byte <= 0x20 || byte == 0x7F {
            endCut(into: &gathered)
            if byte == 0x0A { active = .ascii }
            gathered.add(byte == 0 ? 0x20 : byte)
        } else if first != 0 {
            takeSecond(byte, into: &gathered)
        } else if byte >= 0x80 || (current != .ascii && current != .kana) {
            first = byte
        } else if current == .kana {
            if byte <= 0x5F { gathered.add(0x8E, byte | 0x80) } else { gathered.addInvalid() }
        } else {
            gathered.add(byte)
        }
    }

    private mutating func takeSecond(_ byte: UInt8, into gathered: inout GatheredCharacters) {
        let lead = first
        let current = single ?? active
        first = 0
        single = nil
        if lead >= 0x80 {
            // An 8-bit character, although the charset has none: it is read if it is a pair of EUC.
            if (0xA1...0xFE).contains(lead) && byte >= 0xA1 { return gathered.add(lead, byte) }
            gathered.addInvalid()
            return byte < 0x80 ? takeCharacter(byte, into: &gathered) : ()
        }
        switch current {
        case .prefixed(_, let one, let two):
            gathered.add(prefix: (one, two), lead | 0x80, byte | 0x80)
        case .unknown: gathered.addInvalid()
        case .ascii, .kana, .pairs: gathered.add(lead | 0x80, byte | 0x80)
        }
    }
}

// MARK: - Escape sequences

extension ShiftDecoder {
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
        case (0x4E, 0, 2) where scheme == .iso2022CN: shiftOnce(to: 2)
        case (0x4F, 0, 2) where scheme == .iso2022CN && plane > 0: shiftOnce(to: plane)
        case (0x28, let final, 3): return designate(final == 0x49 ? .kana : .ascii)
        case (0x2E, _, 3): escapeCount = 0  // ISO-2022-JP-2's Latin and Greek
        case (0x24, 0x28...0x2B, 3): return  // ESC $ ( and the like
        case (0x24, let final, 3): return designate(pairSet(final))
        case (0x24, 0x28, 4): return designate(pairSet(byte))
        case (0x24, _, 4): designateLater(byte)
        default: abandonEscape(into: &gathered)
        }
    }

    private mutating func designate(_ newSet: CharacterSet) {
        active = newSet
        escapeCount = 0
    }

    /// ESC $ ) and ESC $ * and ESC $ +: what SO, SS2 and SS3 will shift to. Only ISO-2022-CN has a
    /// choice here.
    private mutating func designateLater(_ final: UInt8) {
        escapeCount = 0
        guard scheme == .iso2022CN else { return }
        switch (escape.2, final) {
        case (0x29, _):
            shiftedOut = .pairs(final == 0x47 ? .taiwanese : .home)
            if active != .ascii { active = shiftedOut }
        case (0x2B, 0x49...0x4D): plane = final - 0x49 + 3
        default: break
        }
    }

    /// The next character is of a further plane of CNS 11643, which has the prefix 8E in EUC-TW.
    private mutating func shiftOnce(to plane: UInt8) {
        escapeCount = 0
        single = .prefixed(.taiwanese, 0x8E, 0xA0 + plane)
    }

    /// The set that the last byte of ESC $ or ESC $ ( names. The sets that are written in the
    /// charset's own 8-bit form are Japanese, and mean nothing in another charset.
    private func pairSet(_ final: UInt8) -> CharacterSet {
        switch final {
        case 0x40, 0x42, 0x44: guard scheme == .iso2022JP else { return .unknown }
        default: break
        }
        return switch final {
        case 0x40, 0x42: .pairs(.home)
        case 0x41: .pairs(.chinese)
        case 0x43: .pairs(.korean)
        case 0x44: .prefixed(.home, 0x8F, 0)
        case 0x4F, 0x51: .pairs(.japanese2004)
        case 0x50: .prefixed(.japanese2004, 0x8F, 0)
        default: .unknown
        }
    }

    /// The escape sequence is unknown: ESC becomes U+FFFD, and the bytes after it are text.
    private mutating func abandonEscape(into gathered: inout GatheredCharacters) {
        let held = escape
        let count = escapeCount
        escapeCount = 0
        gathered.addInvalid()
        if count > 1 { takeCharacter(held.1, into: &gathered) }
        if count > 2 { takeCharacter(held.2, into: &gathered) }
    }

    /// HZ: `~{` and `~}` shift, `~~` is a tilde, a tilde at the end of a line joins lines (RFC
    /// 1843).
    private mutating func takeTilde(_ byte: UInt8, into gathered: inout GatheredCharacters) {
        switch byte {
        case 0x7B: designate(.pairs(.home))
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

// MARK: - What it writes

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

    /// Adds one character of one or two bytes; zero means no second byte.
    mutating func add(_ first: UInt8, _ second: UInt8 = 0) {
        append(first)
        if second != 0 { append(second) }
        characters += 1
    }

    /// Adds a character of two bytes after a prefix of one or two.
    mutating func add(prefix: (UInt8, UInt8), _ first: UInt8, _ second: UInt8) {
        append(prefix.0)
        if prefix.1 != 0 { append(prefix.1) }
        add(first, second)
    }

    /// Adds a character without an 8-bit form: iconv refuses it, and it becomes U+FFFD.
    mutating func addInvalid() { add(0xFF) }

    private mutating func append(_ byte: UInt8) {
        storage[count] = byte
        count += 1
    }
}
