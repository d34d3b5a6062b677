// What one message met on its way, for its line in the log: what the API refused and in which words,
// whether the ledger answered, and what each call of a group came to.
//
// A value without a decision. It never holds content or a key: words of the API that repeat the key
// of the message are left out. Everything in it is bounded.

import APIClient
import Log

/// What the log says of one message besides its outcome.
struct MessageFacts: Equatable {
    /// What the calls of a message to several hidden recipients came to.
    struct Group: Equatable {
        /// Recipients, each with a call of its own.
        var recipientCount: Int
        /// Of those that have the message, from this try or an earlier one: the message ids.
        var messageIDs: [[UInt8]]
        /// Recipients that needed no call: an earlier try has reached them, or they were refused for
        /// good then.
        var knownCount: Int
    }

    /// Different refusals that are kept; a group may meet several.
    static let refusalsMax = 4
    /// Characters of the API's words for one refusal.
    static let wordsMax = 200
    /// Bytes of one message id of a group, and of all in a line.
    static let idBytesMax = 256
    static let idsBytesMax = 65_536
    /// What stands for words that repeat the key.
    static let hiddenWords = "(words with a key, not shown)"

    /// "422 all recipients suppressed": status and the API's own words, each once.
    private(set) var refusals: [String] = []
    /// The reply came from the ledger, without a call: an earlier try had the outcome.
    private(set) var isFromLedger = false
    /// nil for a message of one call.
    private(set) var group: Group?
    /// Recipients of a message of one call that were left out of it.
    private var leftOutCount = 0
    /// The client's own Message-ID, with `--log-envelope`; else empty.
    private(set) var clientMessageID: [UInt8] = []

    /// Whether there is nothing to add to the outcome.
    var isEmpty: Bool {
        refusals.isEmpty && !isFromLedger && group == nil && leftOutCount == 0
            && clientMessageID.isEmpty
    }

    /// The API has answered with 4xx.
    /// - Parameter key: of the message; words that repeat it are left out.
    mutating func note(_ response: APIResponse, key: APIKey) {
        let words = response.words
        let shown = key.isPart(of: words) ? Self.hiddenWords : String(words.prefix(Self.wordsMax))
        let refusal = shown.isEmpty ? "\(response.status)" : "\(response.status) \(shown)"
        guard refusals.count < Self.refusalsMax, !refusals.contains(refusal) else { return }
        refusals.append(refusal)
    }

    /// The ledger knows the message.
    mutating func noteLedger() { isFromLedger = true }

    /// So many recipients were left out of the one call, because of an earlier try.
    mutating func note(knownCount: Int) { leftOutCount = knownCount }

    /// All calls of the group have ended.
    mutating func note(_ group: Group) { self.group = group }

    /// - Parameter messageID: cut by the mapper.
    mutating func note(clientMessageID messageID: [UInt8]) { clientMessageID = messageID }

    // MARK: The words of the log

    /// "429 daily sending limit exceeded; 400 bad address"; empty when the API refused nothing.
    var apiText: String { refusals.joined(separator: "; ") }

    /// "2/6": of so many recipients so many have the message; empty for a message of one call.
    var acceptedText: String {
        group.map { "\($0.messageIDs.count)/\($0.recipientCount)" } ?? ""
    }

    /// All message ids of a group, separated by blanks; those beyond the bound are counted only.
    var messageIDsText: String {
        let ids = group?.messageIDs ?? []
        var text = ""
        for (index, id) in ids.enumerated() {
            let shown = String(decoding: id.prefix(Self.idBytesMax), as: UTF8.self)
            guard text.utf8.count + shown.utf8.count < Self.idsBytesMax else {
                return text + " and \(ids.count - index) more"
            }
            text += index > 0 ? " " + shown : shown
        }
        return text
    }

    /// What came from the ledger: "message", or "2 recipients"; empty for nothing.
    var ledgerText: String {
        if isFromLedger { return "message" }
        let count = group?.knownCount ?? leftOutCount
        guard count > 0 else { return "" }
        return count == 1 ? "1 recipient" : "\(count) recipients"
    }
}
