// What tells one submission from another: digests of its key, sender, recipients and content, made
// while it arrives.
//
// Recipients count as a set, and parameters of MAIL do not count: mail servers turn their recipients
// round between two tries and announce another SIZE. Two submissions of one client are the same when
// key, sender, content and that set are; a recipient of a group is the same in any set.

import Wire

/// Whose records a submission can have: a hash of its key and sender.
package struct LedgerScope: Hashable, Sendable {
    /// A hash of the API key; what its records hold together is bounded.
    package var owner: UInt64
    /// A hash of key and sender.
    package var sender: UInt64

    package init(owner: UInt64, sender: UInt64) {
        self.owner = owner
        self.sender = sender
    }
}

/// What MAIL says of a submission: where its fingerprint begins, and the question to the ledger
/// whether there is any record.
struct LedgerInquiry: Sendable {
    /// Fed with key and sender.
    fileprivate let hash: ContentHash
    let scope: LedgerScope
    /// The home's name for the question that it was asked at MAIL.
    private(set) var ticket: UInt64 = 0

    /// - Parameters:
    ///   - account: the public hash of the API key, the same in every process.
    ///   - sender: of MAIL; read during this call only.
    init(hashKey: ContentHash.Key, account: UInt64, sender: Bytes) {
        var hash = ContentHash(
            key: hashKey, seed: account ^ UInt64(sender.count) &* 0x9E37_79B9_7F4A_7C15)
        hash.feed(sender)
        self.hash = hash
        // The home tells owners apart; it need not learn which API key one is.
        let owner = account ^ hashKey.words.1
        scope = LedgerScope(
            owner: owner.multipliedFullWidth(by: hashKey.words.2 | 1).high ^ owner,
            sender: hash.digest().high)
    }

    /// The home was asked.
    mutating func asked(_ ticket: UInt64) { self.ticket = ticket }
}

/// The fingerprint of one submission.
struct Fingerprint {
    /// What comes after the content, so that no digest can stand for something else.
    private enum Part: UInt64 {
        case whole = 1
        case recipient = 2
    }

    private var hash: ContentHash
    /// Whose recipients are hashed when somebody asks. It shares the memory of the session's, which
    /// is why `letGo` comes before the session's next MAIL.
    private var envelope = Envelope()

    init(_ inquiry: LedgerInquiry) { hash = inquiry.hash }

    /// Begins a submission.
    mutating func begin(_ inquiry: LedgerInquiry, _ envelope: Envelope) {
        hash = inquiry.hash
        self.envelope = envelope
    }

    /// Nobody will ask for it any more.
    mutating func letGo() { envelope = Envelope() }

    /// Adds content; where one piece ends and the next begins does not matter.
    mutating func feed(_ content: Bytes) { hash.feed(content) }

    /// Of the whole submission.
    func whole() -> ContentDigest {
        var sum = ContentDigest(high: 0, low: 0)
        for digest in digestsOfAddresses() { sum.add(digest) }
        var hash = hash
        hash.feed(Part.whole.rawValue)
        hash.feed(UInt64(envelope.recipientCount))
        hash.feed(sum.high)
        hash.feed(sum.low)
        return hash.digest()
    }

    /// Of each recipient of the envelope, in its order.
    func allRecipients() -> [ContentDigest] { digestsOfAddresses().map { recipient($0) } }

    private func digestsOfAddresses() -> [ContentDigest] {
        (0..<envelope.recipientCount).map { address(envelope.bytes(envelope.recipient($0))) }
    }

    /// Of one recipient.
    func recipient(_ address: Bytes) -> ContentDigest { recipient(self.address(address)) }

    private func recipient(_ address: ContentDigest) -> ContentDigest {
        var hash = hash
        hash.feed(Part.recipient.rawValue)
        hash.feed(address.high)
        hash.feed(address.low)
        return hash.digest()
    }

    /// Domains are compared without case.
    private func address(_ address: Bytes) -> ContentDigest {
        var hash = ContentHash(key: self.hash.key)
        var domain = address.count
        while domain > 0, address[domain - 1] != 0x40 { domain -= 1 }
        let hasUpperCase = (domain..<address.count).contains {
            address[$0] != address[$0].asciiLowercased
        }
        guard hasUpperCase else {
            hash.feed(address)
            return hash.digest()
        }
        var copy = address.copied()
        for at in domain..<copy.count { copy[at] = copy[at].asciiLowercased }
        hash.feed(copy.span)
        return hash.digest()
    }
}
