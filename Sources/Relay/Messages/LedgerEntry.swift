// What is remembered under one digest, and how that changes: the machine inside every ledger.
//
//              claim            record    recordPending  settle    forget
//   unknown    -                accepted  pending        -         -
//   accepted   unknown (told)   accepted  pending        -         unknown
//   pending    -       (told)   accepted  pending        unknown   -
//
// An entry whose time is over is as good as unknown. A value without a clock: `now` is an argument.

import Reactor

/// What a ledger knows of a submission, or of one recipient of a group.
enum LedgerEntry: Equatable, Sendable {
    case unknown
    /// The API accepted it, and its client cannot have seen the 250.
    case accepted(messageID: [UInt8], until: MonotonicTime)
    /// Its client is gone or may be, and the API has not answered. After `until` it may be sent
    /// again: the call has ended by then, whatever it came to.
    case pending(until: MonotonicTime)

    /// Looks it up for a submission that comes in. An acceptance is told once.
    mutating func claim(at now: MonotonicTime) -> LedgerFinding {
        switch self {
        case .unknown: return .unknown
        case .accepted(let messageID, let until):
            self = .unknown
            return until > now ? .accepted(messageID: messageID) : .unknown
        case .pending(let until):
            if until > now { return .pending }
            self = .unknown
            return .unknown
        }
    }

    /// Takes down what has become of a submission.
    mutating func apply(_ change: LedgerChange) {
        switch (change, self) {
        case (.record(let messageID, let until), _):
            self = .accepted(messageID: messageID, until: until)
        case (.recordPending(let until), _): self = .pending(until: until)
        case (.settle, .pending), (.forget, .accepted): self = .unknown
        case (.settle, _), (.forget, _): break
        }
    }

    /// When the entry may be dropped; nil when there is none.
    var until: MonotonicTime? {
        switch self {
        case .unknown: nil
        case .accepted(_, let until), .pending(let until): until
        }
    }
}

/// What a ledger says of a submission that comes in, or of one recipient of a group.
enum LedgerFinding: Equatable, Sendable {
    /// Never seen, too long ago, or told already.
    case unknown
    /// Accepted before, and the 250 was not seen: the entry is taken out and answers this one.
    case accepted(messageID: [UInt8])
    /// An earlier try still waits for the API; to send now could send twice.
    case pending
}

/// A change that a ledger is told of.
enum LedgerChange: Equatable, Sendable {
    /// The API accepted it, and its client cannot have seen the 250.
    case record(messageID: [UInt8], until: MonotonicTime)
    /// The client is gone or may be, and the API has not answered.
    case recordPending(until: MonotonicTime)
    /// The call that was pending has ended: a new try may be made at once.
    case settle
    /// The client has seen the 250: the same message sent again is another one.
    case forget
}
