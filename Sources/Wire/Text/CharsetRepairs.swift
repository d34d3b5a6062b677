// Where the relay does not follow glibc's iconv: characters that it lacks, gets wrong, or reads in
// another way than mail means them.
//
// Each entry was found by comparing all pairs of bytes with other decoders. Sources of the right
// reading: WHATWG Encoding Standard, KS X 1001.

/// The repairs of one multi-byte charset.
struct CharsetRepairs {
    private let lead: MultiByteLead

    init(_ lead: MultiByteLead) { self.lead = lead }

    /// The end of the characters from `start`, where a character begins, that iconv may convert.
    /// Two charsets have characters that it must not convert: symbols of Big5 that Big5-HKSCS reads
    /// in the Hong Kong way, and the postal mark of KS X 1001, which glibc's UHC does not know. It
    /// refuses that mark and yet steps over it, and does not report that when its output is full.
    func endOfTrusted(_ bytes: Bytes, from start: Int) -> Int {
        guard lead == .big5 || lead == .uhc else { return bytes.count }
        var i = start
        while i + 1 < bytes.count {
            let first = bytes[i]
            if first < 0x81 || first == 0xFF {
                i += 1
            } else if first < 0xA3, known(bytes, at: i) != nil {
                return i
            } else {
                // A byte that is not a valid trail byte is ASCII and a character of its own.
                i += bytes[i + 1] < 0x40 ? 1 : 2
            }
        }
        return bytes.count
    }

    /// The character at `start`, which iconv was not given or refused, and its length in bytes.
    func known(_ bytes: Bytes, at start: Int) -> (scalar: UInt32, length: Int)? {
        let second = start + 1 < bytes.count ? bytes[start + 1] : 0
        switch (lead, bytes[start]) {
        case (.gb, 0x80): return (0x20AC, 1)  // code page 936
        case (.sjis, 0x80): return (0x80, 1)
        case (.uhc, 0xA2) where second == 0xE8: return (0x327E, 2)
        case (.big5, let first): return Self.big5Symbol(first, second).map { ($0, 2) }
        default: return nil
        }
    }

    private static func big5Symbol(_ first: UInt8, _ second: UInt8) -> UInt32? {
        switch (first, second) {
        case (0xA1, 0x45): 0x2027
        case (0xA1, 0x4E): 0xFE51
        case (0xA1, 0x5A): 0x2574
        case (0xA1, 0xC2): 0x00AF
        case (0xA1, 0xC3): 0xFFE3
        case (0xA1, 0xC5): 0x02CD
        case (0xA1, 0xE3): 0xFF5E
        case (0xA1, 0xF2): 0x2295
        case (0xA1, 0xF3): 0x2299
        case (0xA1, 0xFE): 0xFF0F
        case (0xA2, 0x40): 0xFF3C
        case (0xA2, 0x41): 0x2215
        case (0xA2, 0x42): 0xFE68
        case (0xA2, 0x44): 0xFFE5
        case (0xA2, 0x46): 0xFFE0
        case (0xA2, 0x47): 0xFFE1
        case (0xA2, 0xCC): 0x5341
        case (0xA2, 0xCE): 0x5345
        case (0xA3, 0xE1): 0x20AC
        default: nil
        }
    }
}
