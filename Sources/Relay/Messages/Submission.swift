// One message on its way: fed by the session, mapped to JSON, drained by the API pool.
//
// Held whole up to the threshold, then cut through: the call starts while DATA still arrives, and
// the session is told to pause when the API reads slower than the client writes. The request is
// completed only when the message is whole and is no second copy of one that was accepted; until
// then the API has seen an incomplete body and acts on nothing.

import APIClient
import Mapping
import Reactor
import Wire

/// One message from its first byte of content to its outcome. Counts outcomes and losses, and
/// keeps the key cache, the rate limits and the duplicate guard up to date with what it learns.
final class Submission: APICallOwner {
    enum FeedVerdict {
        case goOn
        /// Taken, but feed no more before `submissionCanContinue`.
        case pause
        /// The outcome is known already (unparsable, early answer): the rest of DATA may be thrown
        /// away; `finish` will return it.
        case decided
    }

    enum Phase {
        /// DATA is arriving.
        case receiving
        /// DATA is complete, the request is not: held text waits for the API to read.
        case draining
        /// The request is complete; the answer is due.
        case awaiting
        /// Nothing is to come.
        case done
    }

    /// Bytes that the API has not taken: above the first the client is not read, below the second
    /// it is again.
    static let pendingHighWater = 131_072
    static let pendingLowWater = 65_536

    let worker: Worker
    private(set) var key: APIKey
    private(set) var sessionID: UInt64
    private(set) var messageNumber = 0
    /// The API's, of the latest answer.
    var requestIDBytes: [UInt8] = []
    var owner: SubmissionOwner?
    var phase = Phase.receiving
    var outcome: Outcome?
    /// What tells a second copy of this message; nil when it is not guarded.
    var digest: ContentDigest?
    var hash: ContentHash
    var group: GroupSend?
    /// The client left after the message was complete.
    var isAbandoned = false
    /// Bytes of the memory budget that came with it when its client left.
    var reservedBytes = 0
    /// The client may have left; the duplicate guard knows of the call in flight.
    var isClientInDoubt = false
    /// When the session must have its reply; set by `finish`.
    var deadline = MonotonicTime.never

    /// Content so far.
    private(set) var contentBytes = 0
    private var mapper: MessageMapper?
    private var body: RequestBody?
    private var call: APICall?
    private var isPaused = false
    private var isHashing = true
    private var stallWatch: StallWatch?
    /// Of the message before, for the next one.
    var parts = SubmissionParts()

    /// - Parameters:
    ///   - envelope: read during this call only.
    ///   - sessionID: for the log.
    init(
        worker: Worker, envelope: borrowing Envelope, key: APIKey, owner: SubmissionOwner,
        sessionID: UInt64, messageNumber: Int = 1
    ) {
        self.worker = worker
        self.key = key
        self.sessionID = sessionID
        hash = ContentHash(key: worker.shared.duplicates.hashKey)
        begin(
            envelope: envelope, key: key, owner: owner, sessionID: sessionID,
            messageNumber: messageNumber)
    }

    /// Makes it a new message, with the memory of the one before. That one must be concluded, and
    /// nobody but the caller hold this object: then no call, timer or group can still come back.
    func begin(
        envelope: borrowing Envelope, key: APIKey, owner: SubmissionOwner, sessionID: UInt64,
        messageNumber: Int
    ) {
        precondition(mapper == nil && body == nil && call == nil && stallWatch == nil)
        self.key = key
        self.owner = owner
        self.sessionID = sessionID
        self.messageNumber = messageNumber
        requestIDBytes = []
        (phase, outcome, digest, group) = (.receiving, nil, nil, nil)
        (isAbandoned, isClientInDoubt, isPaused, isHashing) = (false, false, false, true)
        deadline = .never
        contentBytes = 0
        hash = ContentHash(key: worker.shared.duplicates.hashKey)
        hash.feed(key: key.hash, envelope)
        let mapper = worker.mappers.take()
        let body = parts.takeBody(pool: worker.loop.slabs)
        mapper.begin(
            sender: envelope.bytes(envelope.sender), recipientCount: envelope.recipientCount,
            into: body)
        for index in 0..<envelope.recipientCount {
            mapper.addRecipient(envelope.bytes(envelope.recipient(index)))
        }
        self.mapper = mapper
        self.body = body
    }

    /// Content of DATA, transparency dots off; read during this call only.
    func feed(_ content: Bytes) -> FeedVerdict {
        contentBytes += content.count
        guard outcome == nil, phase == .receiving, let mapper else { return .decided }
        if isHashing { hash.feed(content) }
        mapper.feed(content)
        if let failure = mapper.failure {
            conclude(failure)
            return .decided
        }
        guard mapper.held == nil else { return .goOn }
        if mapper.isHeadMapped && !mapper.hasMessageID { isHashing = false }
        return push()
    }

    /// The end of data was seen. The outcome if it is known now, else nil and
    /// `submissionFinished` follows within the API timeout.
    /// - Parameter start: when the end of data was read: the client waits since then. It may have
    ///   waited in memory until the API took what came before it.
    func finish(since start: MonotonicTime) -> Outcome? {
        if let outcome { return outcome }
        guard let mapper, phase == .receiving else { return .unavailable(isUncertain: false) }
        mapper.finish()
        if let failure = mapper.failure { return conclude(failure) }
        let now = worker.loop.now
        deadline = start.advanced(
            byMilliseconds: worker.configuration.api.timeoutMilliseconds)
        // The time was used up before the API had all: nothing is completed any more.
        guard deadline > now else { return conclude(.unavailable(isUncertain: false)) }
        phase = .draining
        if mapper.hasMessageID || mapper.held != nil {
            let digest = hash.digest()
            if mapper.hasMessageID { self.digest = digest }
            switch worker.shared.duplicates.claim(digest, at: now) {
            case .unknown: break
            case .accepted(let messageID):
                worker.counters.duplicatesAnswered += 1
                return conclude(.accepted(messageID: messageID))
            case .pending:
                worker.counters.duplicatesPending += 1
                return conclude(.unavailable(isUncertain: false))
            }
        }
        if mapper.held != nil {
            startGroup(mapper)
        } else {
            drain()
        }
        return outcome
    }

    // MARK: - The call

    func callWantsBody(_ call: APICall) {
        guard let body, body.pendingBytes < Self.pendingLowWater else { return }
        if phase == .draining {
            drain()
            if let outcome { tellOwner(outcome) }
            return
        }
        guard isPaused else { return }
        isPaused = false
        stallWatch?.cancel()
        owner?.submissionCanContinue(self)
    }

    func callFinished(_ call: APICall, _ result: APIResult) {
        self.call = nil
        parts.rest(call)
        let isComplete = phase == .awaiting
        let outcome = interpret(result, isComplete: isComplete)
        let wasReceiving = phase == .receiving
        let wasPaused = isPaused
        if isAbandoned { noteSilently(outcome) }
        if isClientInDoubt, !outcome.isAccepted { settleInFlight() }
        conclude(outcome)
        if wasReceiving {
            if wasPaused { owner?.submissionCanContinue(self) }
        } else {
            tellOwner(outcome)
        }
    }

    /// Nothing has moved for as long as the API may take: the request is incomplete, so it is
    /// certain that nothing was acted on.
    func stalled() {
        guard outcome == nil else { return }
        let wasReceiving = phase == .receiving
        log(.notice, "api-stalled")
        let outcome = group?.abandon() ?? .unavailable(isUncertain: false)
        if isAbandoned { noteSilently(outcome) }
        conclude(outcome)
        if wasReceiving {
            owner?.submissionCanContinue(self)
        } else {
            tellOwner(outcome)
        }
    }

    private func tellOwner(_ outcome: Outcome) {
        let owner = owner
        self.owner = nil
        owner?.submissionFinished(self, outcome)
    }

    /// Starts the call when the body is over the threshold; says whether to pause.
    private func push() -> FeedVerdict {
        guard let body else { return .decided }
        if let call {
            call.bodyGrew()
        } else if body.byteCount > worker.configuration.messages.bufferThresholdBytes {
            startCall(body, deadline: .never)
        } else {
            return .goOn
        }
        guard body.pendingBytes > Self.pendingHighWater else { return .goOn }
        isPaused = true
        watchForStall()
        return .pause
    }

    private func startCall(_ body: RequestBody, deadline: MonotonicTime) {
        call = parts.takeCall(key: key, body: body, owner: self, deadline: deadline)
        if let call { worker.pool.start(call) }
    }

    /// Writes what waits behind the attachments, as fast as the API reads, and completes. A call
    /// that takes bytes at once does not ask for more: it is given more until it has enough.
    private func drain() {
        guard let mapper, let body else { return }
        let threshold = worker.configuration.messages.bufferThresholdBytes
        let isHeldWhole = call == nil && body.byteCount + mapper.waitingBytes <= threshold
        if call == nil && !isHeldWhole { startCall(body, deadline: .never) }
        var isComplete = false
        repeat {
            let room = isHeldWhole ? Int.max : Self.pendingHighWater - body.pendingBytes
            isComplete = mapper.drain(upTo: room)
            if let failure = mapper.failure {
                conclude(failure)
                return
            }
            if !isComplete { call?.bodyGrew() }
        } while !isComplete && body.pendingBytes < Self.pendingLowWater
        if isComplete {
            complete(body)
        } else {
            watchForStall()
        }
    }

    private func complete(_ body: RequestBody) {
        phase = .awaiting
        stallWatch?.cancel()
        giveMapperBack()
        body.complete()
        if let call {
            call.bodyCompleted(deadline: deadline)
        } else {
            startCall(body, deadline: deadline)
        }
    }

    private func startGroup(_ mapper: MessageMapper) {
        guard mapper.drain(upTo: .max), let recipients = mapper.heldRecipients() else {
            conclude(mapper.failure ?? .unavailable(isUncertain: false))
            return
        }
        guard let held = mapper.takeHeld() else { return }
        body?.discard()
        body = nil
        giveMapperBack()
        watchForStall(graceMilliseconds: 100)
        let group = GroupSend(
            submission: self, held: held, recipients: recipients, deadline: deadline)
        self.group = group
        if let outcome = group.start() { groupFinished(group, outcome, isDuringFinish: true) }
    }

    /// The last call of a group is answered, or all recipients had the message already.
    func groupFinished(_ group: GroupSend, _ outcome: Outcome, isDuringFinish: Bool) {
        if isAbandoned || !outcome.isAccepted { group.recordAccepted() }
        if isAbandoned, let digest { worker.shared.duplicates.settle(digest) }
        if isClientInDoubt, !outcome.isAccepted { settleInFlight() }
        conclude(outcome)
        if !isDuringFinish { tellOwner(outcome) }
    }

    /// - Parameter graceMilliseconds: time for calls to end by their own deadline first.
    private func watchForStall(graceMilliseconds: Int = 0) {
        let watch = stallWatch ?? StallWatch(self)
        stallWatch = watch
        let now = worker.loop.now
        watch.arm(
            at: deadline == .never
                ? now.advanced(byMilliseconds: worker.configuration.api.timeoutMilliseconds)
                : deadline.advanced(byMilliseconds: graceMilliseconds))
    }

    /// Settles the outcome and lets go of everything else.
    @discardableResult
    func conclude(_ outcome: Outcome) -> Outcome {
        self.outcome = outcome
        phase = phase == .receiving ? .receiving : .done
        isPaused = false
        count(outcome)
        release()
        return outcome
    }

    /// Lets go of everything; nothing that is incomplete reaches the API as complete.
    func release() {
        stallWatch?.end()
        stallWatch = nil
        call?.abandon()
        call = nil
        giveMapperBack()
        body?.discard()
        parts.rest(body)
        body = nil
        if reservedBytes > 0 {
            worker.shared.budget.release(reservedBytes)
            reservedBytes = 0
        }
    }

    private func giveMapperBack() {
        guard let mapper else { return }
        self.mapper = nil
        note(mapper.allLosses)
        worker.mappers.give(back: mapper)
    }
}
