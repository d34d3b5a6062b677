// The envelope of one message: sender and recipients, from MAIL and RCPT (RFC 5321 2.3.1).
//
// All addresses lie in one buffer, one after the other; it is kept for the next message of the
// session. A recipient that is named twice is in it once.

import Wire

/// The sender and the recipients of one message.
struct Envelope {
    private var storage: [UInt8] = []
    private var recipients: [Recipient] = []

    /// Empty for the null sender. Ranges are for `bytes(_:)`.
    private(set) var sender = 0..<0
    /// MAIL came with SMTPUTF8 (RFC 6531).
    private(set) var isSMTPUTF8 = false

    private struct Recipient {
        var range: Range<Int>
        /// Where the domain begins.
        var domain: Int
        var hash: UInt64
    }

    init() {}

    /// Recipients, each counted once.
    var recipientCount: Int { recipients.count }

    /// The addr-spec of a recipient as the client gave it first.
    func recipient(_ index: Int) -> Range<Int> { recipients[index].range }

    /// The bytes of an address; valid while the envelope does not change.
    @_lifetime(borrow self)
    func bytes(_ range: Range<Int>) -> Bytes { storage.span.extracting(range) }

    /// Empties it, keeping its memory.
    mutating func reset() {
        storage.removeAll(keepingCapacity: true)
        recipients.removeAll(keepingCapacity: true)
        sender = 0..<0
        isSMTPUTF8 = false
    }

    /// Begins a message. `path` is copied.
    mutating func setSender(_ path: Bytes, isSMTPUTF8: Bool) {
        reset()
        append(path)
        sender = 0..<path.count
        self.isSMTPUTF8 = isSMTPUTF8
    }

    /// Adds a copy of `path`; returns false when the address was there already (domain compared
    /// without case, local part exactly).
    mutating func addRecipient(_ path: Bytes) -> Bool {
        let domain = Self.domainOffset(path)
        let hash = Self.hash(path, domain)
        for other in recipients where other.hash == hash {
            if isSame(other, path, domain) { return false }
        }
        let start = storage.count
        append(path)
        recipients.append(
            Recipient(range: start..<storage.count, domain: start + domain, hash: hash))
        return true
    }

    private mutating func append(_ bytes: Bytes) {
        bytes.withUnsafeBufferPointer { storage.append(contentsOf: $0) }
    }

    private func isSame(_ other: Recipient, _ path: Bytes, _ domain: Int) -> Bool {
        let start = other.range.lowerBound
        guard other.range.count == path.count, other.domain - start == domain else {
            return false
        }
        for at in 0..<domain where storage[start + at] != path[at] { return false }
        for at in domain..<path.count
        where storage[start + at].asciiLowercased != path[at].asciiLowercased {
            return false
        }
        return true
    }

    /// After the last `@`: a quoted local part may hold others, a domain none.
    private static func domainOffset(_ path: Bytes) -> Int {
        var at = path.count
        while at > 0, path[at - 1] != 0x40 { at -= 1 }
        return at
    }

    /// FNV-1a (Fowler, Noll, Vo) with the domain in lower case. Only saves comparisons: at most a
    /// few hundred are made, whatever collides.
    private static func hash(_ path: Bytes, _ domain: Int) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for at in 0..<path.count {
            let byte = at < domain ? path[at] : path[at].asciiLowercased
            hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
        }
        return hash
    }
}
