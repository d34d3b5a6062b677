// The content that a client sends, after 354 or with BDAT: in pieces or at once, completely or up to the point
// where it leaves.

/// The bytes of one try, and how many of them are sent.
struct OutgoingContent {
    private var bytes: [UInt8] = []
    private var sent = 0
    /// Leaves after this many bytes; a value past the end counts milliseconds after the dot.
    private var leavesAt: Int?

    init() {}

    init(_ bytes: [UInt8], chanceToLeave: Double, _ dice: inout Dice) {
        self.bytes = bytes
        guard dice.happens(chanceToLeave) else { return }
        leavesAt =
            dice.happens(0.5)
            ? dice.number(0...bytes.count) : bytes.count + dice.skewed(1...60_000)
    }

    /// The commands and payloads of BDAT for a message, and how many chunks come before the last one.
    /// - Parameter bytesMax: of a chunk.
    static func chunks(
        of content: [UInt8], bytesMax: Int, _ dice: inout Dice
    ) -> (bytes: [UInt8], before: Int) {
        var bytes: [UInt8] = []
        var before = 0
        var rest = content[...]
        while rest.count > bytesMax {
            let chunk = rest.prefix(dice.number(max(1, bytesMax / 2)...bytesMax))
            rest = rest.dropFirst(chunk.count)
            bytes += Array("BDAT \(chunk.count)\r\n".utf8) + chunk
            before += 1
        }
        // Some mail servers end with an empty chunk.
        if dice.happens(0.3) {
            bytes += Array("BDAT \(rest.count)\r\n".utf8) + rest
            before += 1
            rest = []
        }
        return (bytes + Array("BDAT \(rest.count) LAST\r\n".utf8) + rest, before)
    }

    /// Everything is sent.
    var isSent: Bool { sent == bytes.count }

    /// More than half is sent.
    var isMostlySent: Bool { sent > bytes.count / 2 }

    /// The client leaves here, in the middle or at the end, without a dot.
    var isLeft: Bool { leavesAt.map { sent >= $0 } ?? false }

    /// How long it stays after the dot, in milliseconds; nil: as long as it must.
    var leavesBehindDot: Int? { leavesAt.map { $0 - bytes.count } }

    /// The next bytes. A piece is at least a seventh, so that a pause of seconds is not a trickle.
    mutating func next(isInPieces: Bool) -> ArraySlice<UInt8> {
        let left = bytes.count - sent
        var count = isInPieces ? min(left, max(8_000, bytes.count / 7)) : left
        if let leavesAt, sent + count > leavesAt { count = max(0, leavesAt - sent) }
        defer { sent += count }
        return bytes[sent..<sent + count]
    }
}
