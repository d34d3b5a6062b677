// Names for the bytes that the structure of mail is made of (RFC 5234 B.1).

extension UInt8 {
    static var tab: UInt8 { 0x09 }
    static var lineFeed: UInt8 { 0x0A }
    static var carriageReturn: UInt8 { 0x0D }
    static var space: UInt8 { 0x20 }
    static var hyphen: UInt8 { 0x2D }
    static var colon: UInt8 { 0x3A }
    static var equalsSign: UInt8 { 0x3D }
}
