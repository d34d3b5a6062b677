// What both sides of the relay saw, independent of what the relay says about itself: every try of a
// client to hand in a message, and every request that the API began to read.
//
// Plain records with times on the virtual clock. `Balance` judges only them, so that it can judge
// an invented history too.

import Reactor

/// One try of a client to hand in one message, from MAIL to the end.
struct Attempt {
    var message: Int
    /// Whose message it is: the number of a key.
    var account = 0
    /// Counts how often the client wants the message sent: a second time is on purpose.
    var copy = 1
    /// The client's connection: attempts on the same one share it.
    var connection = 0
    var begunAt: MonotonicTime
    /// Its recipients, as indices; nil: all of the message.
    var envelope: Set<Int>?
    /// The client has handed CRLF.CRLF to its network.
    var dotSentAt: MonotonicTime?
    /// The relay has read it.
    var dotHeardAt: MonotonicTime?
    /// By BDAT: the relay has read the first piece. It may have been told to end before, and then owes
    /// no more than 421.
    var chunkHeardAt: MonotonicTime?
    /// What the relay had sent on the connection when it read the dot.
    var relayBytesAtDot: Int?
    /// The code of the reply to the dot, and when it was seen.
    var code: Int?
    var replySeenAt: MonotonicTime?
    /// When the relay sent that reply.
    var replySentAt: MonotonicTime?
    /// Of a 250.
    var messageID: String?
    /// The relay has read a command after the 250, so it knows that the client saw the 250.
    var acknowledgedAt: MonotonicTime?
    /// The client ends its side in order, after its 250 or without having read it.
    var endsInOrder = false
    /// After its reply the relay has read that end, or the connection has ended for it in another way.
    var maybeSeenAt: MonotonicTime?
    /// The connection ended on the client's side, without a reply.
    var lostAt: MonotonicTime?
    /// The relay has read the client's end of the connection, or the connection has ended for it.
    var relayClosedAt: MonotonicTime?
    /// The client left, or a fault touched the connection: no reply is owed.
    var isExcused = false
}

/// One key that a client has given, and the reply.
struct Login {
    var account: Int
    var askedAt: MonotonicTime
    var answeredAt: MonotonicTime?
    var code = 0
}

/// One request as the API saw it.
struct APIRequest {
    var message: Int
    /// Its recipients, as indices in the order of the envelope.
    var recipients: [Int]
    var connection = 0
    /// All of it has been read.
    var completedAt: MonotonicTime?
    /// It was read completely and says what the client sent.
    var isFaithful = true
    /// The API has accepted the message, whatever it answers.
    var hasActed = false
    /// The status of its answer; 0 for none.
    var status = 0
    /// A complete and valid 2xx.
    var isValidSuccess = false
    var messageID = ""
    /// The relay has read the whole answer.
    var answerHeardAt: MonotonicTime?
    /// Over HTTP/2: the relay has reset the stream. The answer may have come after it had given the
    /// request up.
    var hasCrossed = false
}

/// What the relay was asked to send.
struct MessageFacts {
    var number: Int
    var recipients: Int
    /// Several hidden recipients: a request for each.
    var isGroup = false
    /// The duplicate guard covers it.
    var hasMessageID = true
    /// Of a group: not each try has the same envelope, and a request may have several recipients.
    var isMixed = false
}

/// How a relay found the ledger's server.
struct StoreState {
    var at: MonotonicTime
    var relay: Int
    var isGood: Bool
    /// Failures and late answers so far, of this relay.
    var troubles: Int
}

/// The books of one run.
struct Ledger {
    var messages: [MessageFacts] = []
    var attempts: [Attempt] = []
    var requests: [APIRequest] = []
    var logins: [Login] = []
    /// Answers of the API to requests that were not complete, and when they were sent.
    var earlyAnswers: [(at: MonotonicTime, status: Int)] = []
    /// Of a run about shares: what nobody may wait longer than.
    var fairShare: FairShare.Terms?
    /// Nothing goes wrong in the run that the relay may pass on: each try and each login is accepted.
    var expectsSuccess = false
    /// The times at which a relay ended; the next relay does not have its memory.
    var restarts: [MonotonicTime] = []
    /// The times at which a relay was told to end.
    var drains: [MonotonicTime] = []
    /// How the relays found the ledger's server, in their order.
    var storeStates: [StoreState] = []
    /// Errors that one of the two sides found at once.
    var complaints: [String] = []

    /// Most milliseconds from the dot to the reply.
    var apiTimeoutMilliseconds = 50_000
    var duplicateWindowMilliseconds = 86_400_000
    /// A new relay finds what the one before has written.
    var homeOutlives = false
    /// How long a record takes until it is written.
    var homeWriteMilliseconds = 1

    /// Whether the ledger's server may have been out of order between two times, for a relay that was to
    /// write or to ask then. Nothing is known between two looks at it.
    func storeMayHaveFailed(from start: MonotonicTime, to end: MonotonicTime) -> Bool {
        guard !storeStates.isEmpty else { return false }
        let first = storeStates.lastIndex { $0.at < start } ?? 0
        let last = storeStates.firstIndex { $0.at > end } ?? storeStates.count - 1
        guard first <= last else { return true }
        let states = storeStates[first...last]
        // A relay of its own life begins without troubles, and with none of its predecessor's.
        return states.contains { !$0.isGood }
            || zip(states, states.dropFirst()).contains { before, after in
                before.relay == after.relay
                    ? before.troubles != after.troubles : after.troubles != 0
            }
    }
}
