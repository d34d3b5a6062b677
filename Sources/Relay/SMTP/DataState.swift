// How far a message in DATA or BDAT has come: its bytes, its memory, why it is not read at present, and why
// the rest of it is thrown away.
//
// A value without a clock. A message over the limit, or one whose outcome is known early, is read
// to its end and thrown away, so that the client hears the reply where it listens for it: after the
// final dot (RFC 5321 4.1.1.4), or after the chunk.

import Reactor
import Wire

/// What is to be done with a piece of content.
enum ContentVerdict: Equatable {
    case feed
    /// Throw it away.
    case discard
    /// The client trickles: end the session.
    case tooSlow
    /// The message is over the limit: give the submission up, throw this and the rest away.
    case abandon
}

/// One message that arrives.
struct DataState {
    /// Why the rest of the message is thrown away.
    enum Discard: UInt8 {
        case tooLarge, decided, apiStalled, noMemory
        /// The outcome was told before the last chunk, and is told again to each one.
        case told
        /// A chunk that belongs to no message.
        case outOfOrder
    }

    /// Why the client is not read.
    struct Holds: OptionSet {
        let rawValue: UInt8
        /// The submission takes no more for now.
        static let submission = Holds(rawValue: 1)
        /// More came than was announced, and there is no memory for it yet.
        static let budget = Holds(rawValue: 2)
    }

    /// Content so far.
    private(set) var byteCount = 0
    /// Bytes of the memory budget that the message has, or has asked for.
    private(set) var reservedBytes = 0
    private(set) var discard: Discard?
    private(set) var holds: Holds = []
    /// More had arrived after the DATA command already.
    private(set) var hasBytesAfterCommand = false
    /// When the client was told to go on.
    private(set) var beganAt = MonotonicTime(nanoseconds: 0)
    private var rate = ArrivalRate()

    /// No message yet.
    init() {}

    /// A message that waits for `reservedBytes` of memory.
    init(reservedBytes: Int, hasBytesAfterCommand: Bool) {
        self.reservedBytes = reservedBytes
        self.hasBytesAfterCommand = hasBytesAfterCommand
    }

    /// The client is not read at present.
    var isHeld: Bool { !holds.isEmpty }

    /// The client is told to go on.
    mutating func begin(at now: MonotonicTime) {
        beganAt = now
    }

    /// `count` bytes of content have come.
    mutating func take(
        _ count: Int, at now: MonotonicTime, limits: SessionLimits
    ) -> ContentVerdict {
        byteCount += count
        guard !rate.isTooSlow(adding: count, at: now, rateMin: limits.dataRateMin) else {
            return .tooSlow
        }
        if discard != nil { return .discard }
        guard byteCount > limits.messageBytesMax else { return .feed }
        discard = .tooLarge
        return .abandon
    }

    /// What is to be reserved in addition: a client that has sent more than it announced reserves
    /// the whole share now. nil when nothing is missing.
    mutating func reserveMore(upTo most: Int) -> Int? {
        guard discard == nil, reservedBytes < most, byteCount > reservedBytes else { return nil }
        defer { reservedBytes = most }
        return most - reservedBytes
    }

    /// The rest of the message is thrown away; the first reason stands.
    mutating func throwAway(_ reason: Discard) { discard = discard ?? reason }

    /// The outcome is the reply to a chunk before the last one.
    mutating func outcomeTold() {
        if discard == .decided { discard = .told }
    }

    /// The client is not read for now.
    mutating func hold(_ reason: Holds) { holds.insert(reason) }

    /// One reason to hold the client is gone; so is every one of them for `[.submission, .budget]`.
    mutating func release(_ reasons: Holds) { holds.subtract(reasons) }
}
