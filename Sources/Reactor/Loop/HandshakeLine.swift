// The line of connections whose ClientHello is whole and not answered: how many of them a turn of the
// loop answers, and which are next.
//
// The answer costs as much as some messages, most of it for the key exchange and the signature. So a
// burst of connections would keep the sessions that are in from theirs for as long as it takes. What
// has arrived of others goes first in each turn; then a few of the line are answered. A turn that had
// more to do for others answers more, so that the line moves under any load. A value without a clock:
// the same events give the same order.

/// First in, first out, so many per turn.
struct HandshakeLine: ~Copyable {
    /// Answered in each turn at least, when so many wait: a millisecond's work.
    static let perTurn = 4
    /// One more is answered for so many completions of the turn: about as much work.
    static let completionsEach = 32

    private var waiting = TokenQueue()
    private var left = 0

    /// Nobody waits.
    var isEmpty: Bool { waiting.isEmpty }
    /// How many wait.
    var count: Int { waiting.count }

    /// One more, at the end. It stands here once only.
    mutating func join(_ token: Token) { waiting.append(token) }

    /// A turn begins. A connection that joins during the turn may have its place in it.
    /// - Parameter completions: what the turn has handled before.
    mutating func beginTurn(after completions: Int) {
        left = Self.perTurn + completions / Self.completionsEach
    }

    /// The next to be answered in this turn; nil when the turn is over.
    mutating func next() -> Token? {
        guard left > 0, !waiting.isEmpty else { return nil }
        left -= 1
        return waiting.popFirst()
    }

    /// The last one was gone already, and used nothing of the turn.
    mutating func passOver() { left += 1 }
}
