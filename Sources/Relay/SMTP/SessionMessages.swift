// The messages of one session: the envelope that MAIL and RCPT fill, the submission that content feeds,
// the memory that they live from, and the submission before, until the client has seen its 250.
//
// Everything that a session asks of `Submission` is here. Memory that a submission still needs when
// its client has gone goes with it; all other memory is given back at once.

import APIClient
import Reactor
import Wire

/// The message that a session takes, and the one before.
struct SessionMessages: ~Copyable {
    /// Messages begun.
    private(set) var count = 0
    private var envelope = Envelope()
    private var current: Submission?
    /// Accepted, by some recipients at least, and the client has not shown yet that it saw the reply.
    private var unseen: Submission?
    /// The same, of messages before that one: a client may send several in one piece.
    private var unseenBefore: [Submission] = []
    /// When the latest of their replies was written.
    private var answeredAt = MonotonicTime(nanoseconds: 0)
    /// What the ledger was asked at MAIL.
    private var inquiry: LedgerInquiry?
    /// Ended, with memory for the next message.
    private var resting: Submission?
    /// Bytes of the memory budget that are ours.
    private var memory: MemoryShare?
    /// Our place in the line for more.
    private var wait: MemoryWait?

    // MARK: The envelope

    /// MAIL: begins an envelope, and asks the ledger whether it has any record of this key and
    /// sender. `path` is copied.
    mutating func begin(
        sender path: Bytes, isSMTPUTF8: Bool, account: LoopAccount?, ledger: Ledger
    ) {
        envelope.setSender(path, isSMTPUTF8: isSMTPUTF8)
        inquiry = account.map { ledger.inquire(account: $0.shared.name, sender: path) }
    }

    /// RCPT. `path` is copied; false when the address was there already.
    mutating func addRecipient(_ path: Bytes) -> Bool { envelope.addRecipient(path) }

    var recipientCount: Int { envelope.recipientCount }

    /// The sender as MAIL gave it; empty for the null sender.
    var senderText: String { envelope.bytes(envelope.sender).copiedText() }

    /// The recipients, separated by blanks.
    /// - Parameter bytesMax: beyond it, recipients are counted and not named.
    func recipientsText(bytesMax: Int) -> String {
        var text = ""
        for index in 0..<envelope.recipientCount {
            let recipient = envelope.bytes(envelope.recipient(index))
            guard text.utf8.count + recipient.count < bytesMax else {
                return text + " and \(envelope.recipientCount - index) more"
            }
            if index > 0 { text += " " }
            text += recipient.copiedText()
        }
        return text
    }

    // MARK: Memory

    /// Reserves `bytes` in addition to what the message has. False when they are not there now.
    mutating func reserve(_ bytes: Int, of budget: MemoryBudget, for account: Account) -> Bool {
        guard let more = budget.reserve(bytes, for: account, own: memory?.bytes ?? 0) else {
            return false
        }
        grow(by: more)
        return true
    }

    /// Waits in line for `bytes` in addition to what the message has.
    /// - Parameter answer: called once, on any thread, with the ticket for `collect`.
    /// - Returns: what is short.
    mutating func wait(
        for bytes: Int, of budget: MemoryBudget, account: Account,
        _ answer: @escaping MemoryBudget.Answer
    ) -> FairShare.Shortage {
        let wait = budget.wait(
            for: bytes, account: account, own: memory?.bytes ?? 0, answer)
        let shortage = wait.shortage
        self.wait = consume wait
        return shortage
    }

    /// Whether the line has not answered yet.
    var isWaitingForMemory: Bool { wait != nil }

    /// What the line has answered to `ticket`: whether the bytes are ours now; nil when nobody
    /// waits with that ticket any more.
    mutating func collect(_ ticket: UInt64) -> Bool? {
        guard wait?.ticket == ticket, let answered = wait.take() else { return nil }
        guard let more = answered.collect() else { return false }
        grow(by: more)
        return true
    }

    private mutating func grow(by more: consuming MemoryShare) {
        if var share = memory.take() {
            share.add(more)
            memory = consume share
        } else {
            memory = consume more
        }
    }

    // MARK: The submission

    /// DATA or BDAT: begins a message with what is in the envelope.
    /// - Parameters:
    ///   - owner: hears of the submission, on the loop of `worker`.
    ///   - session: for the log and for the API.
    mutating func begin(
        on worker: Worker, key: APIKey, account: LoopAccount, owner: any SubmissionOwner,
        session: UInt64
    ) {
        count += 1
        let inquiry =
            inquiry
            ?? worker.ledger.inquire(
                account: account.shared.name, sender: envelope.bytes(envelope.sender))
        guard let submission = resting else {
            current = Submission(
                worker: worker, envelope: envelope, inquiry: inquiry, key: key, account: account,
                owner: owner, sessionID: session, messageNumber: count)
            return
        }
        resting = nil
        submission.begin(
            envelope: envelope, inquiry: inquiry, key: key, account: account, owner: owner,
            sessionID: session, messageNumber: count)
        current = submission
    }

    /// Whether `submission` is that of the message that is under way.
    func isCurrent(_ submission: Submission) -> Bool { submission === current }

    /// Whether `text`, of a client, repeats the key of the message under way.
    func repeatsKey(_ text: String) -> Bool { current?.key.isPart(of: text) ?? false }

    /// Whether the log says more of the message under way than its outcome.
    var hasFacts: Bool { current?.hasFacts ?? false }

    /// What the log says of the message under way besides its outcome.
    var facts: MessageFacts { current?.facts ?? MessageFacts() }

    /// What the message under way has lost on its way, for a verbose reply.
    var lossWords: String { current?.replyLosses ?? "" }

    /// A piece of content; read during this call only.
    func feed(_ content: Bytes) -> Submission.FeedVerdict { current?.feed(content) ?? .decided }

    /// The end of the message was seen.
    /// - Parameters:
    ///   - deadline: when the client must have its reply.
    ///   - isLineOpen: its last line has no end.
    /// - Returns: the outcome if it is known now; else nil, and `owner` hears it later.
    func finish(by deadline: MonotonicTime, isLineOpen: Bool) -> Outcome? {
        guard let current else { return .unavailable(isUncertain: false) }
        if isLineOpen { current.endLineForLedger() }
        return current.finish(by: deadline)
    }

    /// The client has ended its side while the API is asked.
    func clientMayBeGone() { current?.clientMayBeGone() }

    /// The request ID of the API, of the latest answer for the message under way.
    var requestID: [UInt8] { current?.requestIDBytes ?? [] }

    /// The domains of MAIL FROM and of `from` in the request, when the request has one.
    var domains: (sender: String, from: String)? {
        guard let from = current?.fromDomain, !from.isEmpty else { return nil }
        return (LimitName.domain(of: envelope.bytes(envelope.sender)), from)
    }

    /// The message under way has its outcome, and its reply is written.
    mutating func conclude(_ outcome: Outcome, at now: MonotonicTime) {
        memory = nil
        if outcome.isAccepted || current?.isPartlyAccepted ?? false {
            if let unseen { unseenBefore.append(unseen) }
            unseen = current
            answeredAt = now
        }
        // What is kept for the next message knows the key.
        if case .keyRefused = outcome { resting = nil }
        current = nil
    }

    /// Nothing of the message under way reaches the API as complete, unless it is there already.
    /// Its memory is free when nothing uses it any more.
    /// - Parameter kind: what the message counts as.
    mutating func drop(as kind: OutcomeKind = .abandoned) {
        let memory = memory.take()
        current?.abandon(as: kind, holding: memory)
        current = nil
    }

    /// Nothing is waited for, and no message goes on.
    mutating func giveUp() {
        wait = nil
        drop()
    }

    /// Bytes of the client have come: it has seen the 250 of the message before, if they arrived
    /// after that was written. (Postfix and Exim send QUIT together with the final dot.) A submission
    /// that nobody else holds has ended for good, and serves the next message.
    /// - Parameter arrivedAt: the earliest time at which they may have arrived.
    mutating func noteSeen(at arrivedAt: MonotonicTime) {
        guard unseen != nil, arrivedAt > answeredAt else { return }
        unseen?.replySeen()
        if !unseenBefore.isEmpty {
            for submission in unseenBefore { submission.replySeen() }
            unseenBefore = []
        }
        if isKnownUniquelyReferenced(&unseen) { resting = unseen }
        unseen = nil
    }

    /// The connection has ended.
    /// - Parameter isSeen: the client has ended its side in order, after its kernel had acknowledged
    ///   every byte of ours.
    mutating func close(isSeen: Bool) {
        if let unseen { unseenBefore.append(unseen) }
        unseen = nil
        for submission in unseenBefore {
            if isSeen { submission.replySeen() } else { submission.replyUnseen() }
        }
        unseenBefore = []
        giveUp()
        resting = nil
    }
}
