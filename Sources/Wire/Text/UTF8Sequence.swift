// One UTF-8 character at a time, judged as the Unicode Standard does (3.9, table 3-7).
//
// Overlong forms, surrogates and values past U+10FFFF are invalid. An invalid stretch is as long
// as Unicode's "maximal subpart", so one broken character is replaced once.

/// What stands at an offset.
enum UTF8Sequence: Equatable {
    /// A whole character of this many bytes, 1 to 4.
    case character(bytes: Int)
    /// The bytes end within what may still become a character.
    case incomplete
    /// This many bytes, 1 to 3, can be part of no character.
    case invalid(bytes: Int)

    /// Judges `bytes` from `start`, which must be inside.
    static func at(_ start: Int, in bytes: Bytes) -> UTF8Sequence {
        let lead = bytes[start]
        var low: UInt8 = 0x80
        var high: UInt8 = 0xBF
        let length: Int
        switch lead {
        case 0..<0x80: return .character(bytes: 1)
        case 0xC2...0xDF: length = 2
        case 0xE0...0xEF:
            length = 3
            if lead == 0xE0 { low = 0xA0 }
            if lead == 0xED { high = 0x9F }
        case 0xF0...0xF4:
            length = 4
            if lead == 0xF0 { low = 0x90 }
            if lead == 0xF4 { high = 0x8F }
        default: return .invalid(bytes: 1)
        }
        for k in 1..<length {
            guard start + k < bytes.count else { return .incomplete }
            guard bytes[start + k] >= low && bytes[start + k] <= high else {
                return .invalid(bytes: k)
            }
            low = 0x80
            high = 0xBF
        }
        return .character(bytes: length)
    }

    /// Whether all of `bytes` is valid UTF-8.
    static func isValid(_ bytes: Bytes) -> Bool {
        var i = 0
        while i < bytes.count {
            guard case .character(let length) = at(i, in: bytes) else { return false }
            i += length
        }
        return true
    }
}
