// How long a connection to one address of the API may be idle and still be given a message.
//
// An API closes idle connections. When its end and our request cross on their way, nobody knows what
// became of the message. So a connection is not used when its age is near the limit of the API, which
// is learnt in three ways: the API says it (`Keep-Alive: timeout=N`, RFC 2068 19.7.1), the API closes
// an idle connection, or a connection lives until we close it. A value; ages are arguments.
//
// Servers give a connection another time for its first request than for the next one (nginx:
// `client_header_timeout` and `keepalive_timeout`; nghttpx: 60 s, whatever is set for the next). So a
// connection that has carried no call yet tells nothing about the others, and they nothing about it.

/// What is known of one address: of connections that have carried a call, and of fresh ones.
struct IdleLimits: Equatable {
    private var used = IdleLimit()
    private var fresh = IdleLimit()

    /// The one to go by. As long as nothing is known of fresh ones, it is that of the others.
    subscript(isFresh isFresh: Bool) -> IdleLimit { isFresh && fresh.isKnown ? fresh : used }

    /// An answer said `Keep-Alive: timeout=N`.
    mutating func said(seconds: Int) { used.said(seconds: seconds) }

    /// The address closed a connection that was idle for so long.
    mutating func closed(isFresh: Bool, afterNanoseconds age: UInt64) {
        if isFresh {
            fresh.closed(afterNanoseconds: age)
        } else {
            used.closed(afterNanoseconds: age)
        }
    }

    /// A connection that is open has been idle for so long.
    mutating func outlived(isFresh: Bool, nanoseconds age: UInt64) {
        if isFresh { fresh.outlived(nanoseconds: age) } else { used.outlived(nanoseconds: age) }
    }

    /// A connection was open when our own idle timeout ended it.
    mutating func livedToTheEnd(isFresh: Bool) {
        if isFresh { fresh.livedToTheEnd() } else { used.livedToTheEnd() }
    }
}

/// The limit of one kind of connections.
struct IdleLimit: Equatable {
    /// Believed as long as nothing is known.
    static let unknownNanoseconds: UInt64 = 2_000_000_000

    /// By `Keep-Alive: timeout=N`.
    private var saidSeconds: Int?
    /// The shortest age at which the address closed a connection, unless another one grew older
    /// than that and the margin.
    private var closedAt: UInt64?
    /// A connection lived for our own idle timeout.
    private var isShown = false

    /// The age up to which a connection is given messages, with the margin taken off and the round
    /// trip not. `.max`: the address has no limit below our own idle timeout.
    private(set) var nanoseconds = unknownNanoseconds
    private(set) var isKnown = false

    /// An answer said `timeout=N`.
    mutating func said(seconds: Int) {
        guard saidSeconds != seconds else { return }
        saidSeconds = seconds
        update()
    }

    /// The address closed a connection that was idle for so long. A restart of the API closes young
    /// connections too, so a later connection that grows older by more than the margin counts more.
    /// Within it the shortest age counts: an API that looks for idle connections once a second, as
    /// gunicorn does, closes them at its limit or up to a second later.
    mutating func closed(afterNanoseconds age: UInt64) {
        closedAt = closedAt.map { isOlder(age, than: $0) ? age : min($0, age) } ?? age
        isShown = false
        update()
    }

    /// A connection that is open has been idle for so long.
    mutating func outlived(nanoseconds age: UInt64) {
        guard let closedAt, isOlder(age, than: closedAt) else { return }
        self.closedAt = age
        update()
    }

    /// A connection was open when our own idle timeout ended it.
    mutating func livedToTheEnd() {
        closedAt = nil
        isShown = true
        update()
    }

    private mutating func update() {
        let said = saidSeconds.map { IdleLimit.less(UInt64(clamping: $0) &* 1_000_000_000) }
        let seen = closedAt.map(IdleLimit.less)
        isKnown = said != nil || seen != nil || isShown
        nanoseconds = isKnown ? min(said ?? .max, seen ?? .max) : IdleLimit.unknownNanoseconds
    }

    /// By more than the margin.
    private func isOlder(_ age: UInt64, than other: UInt64) -> Bool {
        age > other && age - other > IdleLimit.margin(other)
    }

    private static func less(_ limit: UInt64) -> UInt64 { limit - margin(limit) }

    /// Half of the limit, and a second at most.
    private static func margin(_ limit: UInt64) -> UInt64 { min(1_000_000_000, limit / 2) }
}
