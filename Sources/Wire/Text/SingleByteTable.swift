// The UTF-8 form of each byte of a charset with one byte per character.
//
// A table is three times as fast as iconv, and has no state. glibc holds a letter of windows-1255
// or windows-1258 back to compose it with the next one, so a descriptor of those could not serve
// interleaved decoders.

import Glibc

/// 256 entries. WHATWG Encoding Standard 9: an unassigned byte of 0x80 to 0x9F means its C1
/// control, any other unassigned byte U+FFFD.
struct SingleByteTable: Sendable {
    /// UTF-8 bytes from the lowest byte up, their number in bits 24 to 26, `replacedBit`.
    private(set) var entries: [UInt32]

    /// Whether 0x00 to 0x7F are ASCII.
    private(set) var isASCIISuperset = true

    private static let replacedBit: UInt32 = 0x8000_0000

    /// Latin-1 to begin with.
    private init() { entries = (0..<256).map { Self.entry(UInt32($0)) } }

    /// Asks iconv for each byte except the exceptions.
    init(asking descriptor: iconv_t, exceptions: [(byte: UInt8, scalar: UInt32)]) {
        self.init()
        for byte in 0..<256 {
            if let entry = Self.ask(descriptor, UInt8(byte)) {
                // Some IBM code pages move control characters around; mail never means that.
                if byte >= 0x80 || entry >> 24 > 1 { entries[byte] = entry }
            } else if byte >= 0xA0 {
                entries[byte] = Self.entry(0xFFFD) | Self.replacedBit
            }
        }
        for exception in exceptions {
            entries[Int(exception.byte)] = Self.entry(exception.scalar)
        }
        isASCIISuperset = (0..<128).allSatisfy { entries[$0] == Self.entry(UInt32($0)) }
    }

    /// windows-1252, as WHATWG has it.
    static let windows1252: SingleByteTable = {
        let upper: [UInt32] = [
            0x20AC, 0x81, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
            0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D, 0x017D, 0x8F,
            0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
            0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D, 0x017E, 0x0178,
        ]
        var table = SingleByteTable()
        for (i, scalar) in upper.enumerated() { table.entries[0x80 + i] = entry(scalar) }
        return table
    }()

    /// x-user-defined (WHATWG Encoding Standard 14.5).
    static let userDefined: SingleByteTable = {
        var table = SingleByteTable()
        for byte in 0x80..<0x100 { table.entries[byte] = entry(UInt32(0xF700 + byte)) }
        return table
    }()

    private static func entry(_ scalar: UInt32) -> UInt32 {
        switch scalar {
        case 0..<0x80: 1 << 24 | scalar
        case 0x80..<0x800: 2 << 24 | (0x80 | scalar & 0x3F) << 8 | (0xC0 | scalar >> 6)
        default:
            3 << 24 | (0x80 | scalar & 0x3F) << 16 | (0x80 | scalar >> 6 & 0x3F) << 8
                | (0xE0 | scalar >> 12)
        }
    }

    private static func ask(_ descriptor: iconv_t, _ byte: UInt8) -> UInt32? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { memory in
            memory.initialize(repeating: 0)
            memory[0] = CChar(bitPattern: byte)
            var input: UnsafeMutablePointer<CChar>? = memory.baseAddress
            var inputLeft = 1
            var output: UnsafeMutablePointer<CChar>? = memory.baseAddress! + 16
            var outputLeft = 16
            let result = iconv(descriptor, &input, &inputLeft, &output, &outputLeft)
            // The second call writes the letter that was held back, and resets the state.
            iconv(descriptor, nil, nil, &output, &outputLeft)
            let length = 16 - outputLeft
            guard result != -1, (1...3).contains(length) else { return nil }
            var entry = UInt32(length) << 24
            for k in 0..<length {
                entry |= UInt32(UInt8(bitPattern: memory[16 + k])) << UInt32(8 * k)
            }
            return entry
        }
    }

    /// Writes as many bytes of `input` as `output` has room for; returns how many it took, and how
    /// many of them the charset does not assign.
    func convert(_ input: Bytes, into output: inout Region) -> (taken: Int, replaced: Int) {
        var taken = 0
        var replaced: UInt32 = 0
        let skipsASCII = isASCIISuperset
        input.withUnsafeBytes { source in
            entries.withUnsafeBufferPointer { entries in
                output.withRoom { memory, room in
                    let target = UnsafeMutableRawPointer(memory)
                    var written = 0
                    while taken < source.count && written + 8 <= room {
                        if skipsASCII && taken + 8 <= source.count {
                            let word = source.loadUnaligned(fromByteOffset: taken, as: UInt64.self)
                            if word & 0x8080_8080_8080_8080 == 0 {
                                target.storeBytes(of: word, toByteOffset: written, as: UInt64.self)
                                taken += 8
                                written += 8
                                continue
                            }
                        }
                        let entry = entries[Int(source[taken])]
                        target.storeBytes(
                            of: entry.littleEndian, toByteOffset: written, as: UInt32.self)
                        written += Int(entry >> 24 & 7)
                        replaced += entry >> 31
                        taken += 1
                    }
                    return written
                }
            }
        }
        return (taken, Int(replaced))
    }
}
