// What is remembered under one digest, and how that changes: the machine inside every home.
//
//                 put accepted  put pending  put delivered  put refused  put tried   settle    forget
//   nothing       accepted      pending      delivered      refused      tried       -         -
//   accepted      accepted      -            delivered      -            -           -         nothing
//   pending       accepted      pending      delivered      refused      tried       nothing*  -
//   delivered     accepted      -            delivered      -            -           -         nothing
//   refused       accepted      -            delivered      refused      -           -         nothing
//   tried         accepted      pending      delivered      refused      tried       -         nothing
//
//   * only by the submission that it is about.
//
// A record whose time is over is as good as none. A value without a clock: `now` is an argument.

import Reactor

/// A fact that must outlive a connection.
package enum LedgerFact: Hashable, Sendable {
    /// A submission: the API accepted it, and its client cannot have seen the 250.
    case accepted(messageID: [UInt8])
    /// A submission: its client is gone or may be, and the API has not answered. `submission` is a
    /// random number that names it.
    case pending(submission: UInt64)
    /// A recipient of a group: it has the message, and others were refused for the moment.
    case delivered(messageID: [UInt8])
    /// The same: the API refused it for good.
    case refused(LedgerRefusal)
    /// The same: the API refused it for the moment. Others are asked first.
    case tried

    /// How sure a fact is: a surer one is never replaced by one that is less so.
    fileprivate var rank: Int {
        switch self {
        case .tried: 0
        case .pending: 1
        case .refused: 2
        case .delivered, .accepted: 3
        }
    }

    /// Whether it is of a recipient of a group.
    package var isOfRecipient: Bool {
        switch self {
        case .delivered, .refused, .tried: true
        case .accepted, .pending: false
        }
    }

    /// Bytes of its message id.
    package var messageIDBytes: Int {
        switch self {
        case .accepted(let messageID), .delivered(let messageID): messageID.count
        case .pending, .refused, .tried: 0
        }
    }
}

/// Why a recipient was refused for good: enough for a reply, and nothing of the API's words, which may
/// hold an address.
package enum LedgerRefusal: UInt8, Sendable, CaseIterable {
    /// 422
    case suppressed = 1
    /// 554
    case rejected = 2
    /// 550
    case forbidden = 3
    /// 552
    case tooLarge = 4
}

/// A fact, and until when it counts.
package struct LedgerRecord: Equatable, Sendable {
    package var fact: LedgerFact
    package var until: MonotonicTime

    package init(_ fact: LedgerFact, until: MonotonicTime) {
        self.fact = fact
        self.until = until
    }

    /// What `change` makes of a record, or of none.
    package static func applying(
        _ change: LedgerChange.Kind, to record: LedgerRecord?, at now: MonotonicTime
    ) -> LedgerRecord? {
        let old = record.flatMap { $0.until > now ? $0 : nil }
        switch change {
        case .put(let fact, let until):
            if let old, old.fact.rank > fact.rank, !old.isPending { return old }
            return LedgerRecord(fact, until: until)
        case .settle(let submission):
            return old?.fact == .pending(submission: submission) ? nil : old
        case .forget: return old?.isPending == true ? old : nil
        }
    }

    private var isPending: Bool {
        if case .pending = fact { true } else { false }
    }
}

/// One change of one record.
package struct LedgerChange: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case put(LedgerFact, until: MonotonicTime)
        /// The call that was pending has ended, and nothing of it needs to be remembered.
        case settle(submission: UInt64)
        /// The client knows, or nobody will ask: the same message sent again is another one.
        case forget
    }

    package var scope: LedgerScope
    package var digest: ContentDigest
    package var kind: Kind

    package init(_ kind: Kind, scope: LedgerScope, digest: ContentDigest) {
        self.kind = kind
        self.scope = scope
        self.digest = digest
    }
}

/// What is asked when a submission's dot has come and its scope has records.
package struct LedgerQuestion: Sendable {
    package var scope: LedgerScope
    /// Of the whole submission; nil when it is not guarded.
    package var whole: ContentDigest?
    /// Of its recipients.
    package var recipients: [ContentDigest]

    package init(scope: LedgerScope, whole: ContentDigest?, recipients: [ContentDigest]) {
        self.scope = scope
        self.whole = whole
        self.recipients = recipients
    }
}

/// What a home knows of a submission.
package struct LedgerAnswer: Equatable, Sendable {
    /// `accepted`, `pending` or nil. An acceptance is told once: the home keeps it from other
    /// questions until the one that it was told to records or forgets it. For a second they are told
    /// `pending`: whether its client has seen the 250 is about to be known.
    package var whole: LedgerFact?
    /// `delivered`, `refused`, `tried` or nil for each recipient, in the order of the question; empty
    /// when the whole has a fact. They stay as they are.
    package var recipients: [LedgerRecord?]

    package init(whole: LedgerFact? = nil, recipients: [LedgerRecord?] = []) {
        self.whole = whole
        self.recipients = recipients
    }

    /// No home knows anything.
    package static let nothing = LedgerAnswer()
}
