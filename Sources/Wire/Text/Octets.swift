// Single bytes: names for those that structure mail (RFC 5234 B.1), and the classes that several
// parsers need.

extension UInt8 {
    static var tab: UInt8 { 0x09 }
    static var lineFeed: UInt8 { 0x0A }
    static var carriageReturn: UInt8 { 0x0D }
    static var space: UInt8 { 0x20 }
    static var hyphen: UInt8 { 0x2D }
    static var dot: UInt8 { 0x2E }
    static var colon: UInt8 { 0x3A }
    static var equalsSign: UInt8 { 0x3D }
}

extension UInt8 {
    /// The lower-case form of an ASCII letter, every other byte unchanged.
    @inlinable
    package var asciiLowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }

    /// Space, tab, CR or LF.
    @inlinable
    package var isWhitespace: Bool { self == 0x20 || self == 0x09 || self == 0x0D || self == 0x0A }

    /// The value of a hexadecimal digit of either case; nil for every other byte.
    @inlinable
    package var hexValue: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x37
        case 0x61...0x66: self - 0x57
        default: nil
        }
    }

    /// Space or tab.
    var isBlank: Bool { self == 0x20 || self == 0x09 }

    /// ASCII letter or digit.
    var isAlphanumeric: Bool { asciiLowercased &- 0x61 < 26 || self &- 0x30 < 10 }

    /// Letters, digits and the signs of an atom, and everything that is not ASCII
    /// (RFC 5322 3.2.3, RFC 6532 3.2).
    package var isAtext: Bool {
        switch self {
        case 0x30...0x39, 0x41...0x5A, 0x5E...0x7E, 0x80...0xFF: true
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2F, 0x3D, 0x3F: true
        default: false
        }
    }

    /// The value of a letter of the base64 alphabet (RFC 4648 4); nil for every other byte.
    var base64Value: UInt8? {
        switch self {
        case 0x41...0x5A: self - 0x41
        case 0x61...0x7A: self - 0x47
        case 0x30...0x39: self + 4
        case 0x2B: 62
        case 0x2F: 63
        default: nil
        }
    }
}
