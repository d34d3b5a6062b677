// Finds the ends of SMTP replies (RFC 5321 section 4.2) in a byte stream, wherever it is cut.

/// Finds the end of each reply: the code of its last line. It skips continuation lines.
struct ReplyReader {
    private var column = 0
    private var code = 0
    private var isLast = true

    /// The code when `byte` ends a reply.
    mutating func take(_ byte: UInt8) -> Int? {
        if byte == 10 {
            let result = isLast ? code : nil
            self = ReplyReader()
            return result
        }
        if column < 3 { code = code * 10 + Int(byte &- 48) }
        if column == 3 { isLast = byte != 0x2D }
        column += 1
        return nil
    }
}
