// One message on its way from DATA or BDAT to the API: the driver of `SubmissionMachine`.
//
// It feeds the mapper, whose bytes go into an upload; a message is held up to the threshold, and
// cut through beyond it: the call starts while DATA is still arriving, and the client is slowed to
// the API's pace. A message to several hidden recipients waits whole, for a `GroupSend`. It carries
// out what the machine decides and decides nothing itself.

import APIClient
import Log
import Logging
import Mapping
import Reactor
import Wire

/// What a submission tells the session that feeds it. Called on the loop, never during a call that
/// the session makes itself.
protocol SubmissionOwner: AnyObject {
    /// After `feed` said pause: more may be fed.
    func submissionCanContinue(_ submission: Submission)
    /// The outcome, once, after `finish` returned nil.
    func submissionFinished(_ submission: Submission, _ outcome: Outcome)
}

/// One message from its first byte of content to its outcome. Counts outcomes and losses, and
/// keeps the key cache, the rate limits and the ledger up to date with what it learns.
///
/// `begin` makes it the next message of its session, with the memory of the one before.
final class Submission: UploadOwner {
    enum FeedVerdict {
        case goOn
        /// Taken, but feed no more before `submissionCanContinue`.
        case pause
        /// The outcome is known already (unparsable, early answer): the rest of DATA may be thrown
        /// away; `finish` will return it.
        case decided
    }

    let worker: Worker
    private(set) var key: APIKey
    private(set) var account: LoopAccount
    /// The API's, of the latest answer.
    private(set) var requestIDBytes: [UInt8] = []
    /// For the log.
    private(set) var facts = MessageFacts()
    /// Whether there are any.
    var hasFacts: Bool { !facts.isEmpty }
    /// What the message has lost on the way, for its sender; empty unless replies are verbose.
    private var lossWords = ""

    private var machine: SubmissionMachine
    /// nil when the session is not to be told anything more.
    private var owner: (any SubmissionOwner)?
    private var mapper: MessageMapper?
    private let upload: Upload
    private var group: GroupSend?
    /// Of what has arrived, as long as it is wanted.
    private var fingerprint: Fingerprint
    /// Somebody may ask for the fingerprint.
    private var isFingerprinted = true
    /// Key and sender.
    private var scope: LedgerScope
    /// The ledger's name for what it was asked about them at MAIL.
    private var ticket: UInt64
    /// A second copy of this message can be told.
    private var isGuarded = false
    /// What the ledger has told of recipients.
    private var records: [ContentDigest: LedgerRecord] = [:]
    /// The outcome for recipients that are left out of the call, because of an earlier try.
    private var knownOutcome: Outcome?
    /// Names the message in the ledger while it is under way; 0 while the ledger does not know of it.
    private var lease: UInt64 = 0
    /// Of an acceptance that the ledger has told us.
    private var toldMessageID: [UInt8] = []
    private var pause: LedgerPause?
    /// Content so far.
    private var contentBytes = 0
    /// The share of the memory budget that the session left here when its client left.
    private var memory: MemoryShare?
    /// Memory of the last message id; empty while an outcome is made of it.
    private var messageIDMemory: [UInt8] = []
    private var sessionID: UInt64
    private var messageNumber: Int

    private var ledger: Ledger { worker.ledger }
    private var now: MonotonicTime { worker.loop.now }

    /// - Parameters:
    ///   - envelope: read during this call only.
    ///   - inquiry: what the ledger was asked at MAIL.
    ///   - sessionID: for the log.
    init(
        worker: Worker, envelope: Envelope, inquiry: LedgerInquiry, key: APIKey,
        account: LoopAccount, owner: any SubmissionOwner, sessionID: UInt64,
        messageNumber: Int = 1
    ) {
        self.worker = worker
        self.key = key
        self.account = account
        self.sessionID = sessionID
        self.messageNumber = messageNumber
        machine = SubmissionMachine(
            thresholdBytes: worker.configuration.messages.bufferThresholdBytes)
        upload = Upload(worker: worker, key: key, account: account)
        scope = inquiry.scope
        ticket = inquiry.ticket
        fingerprint = Fingerprint(inquiry)
        begin(
            envelope: envelope, inquiry: inquiry, key: key, account: account, owner: owner,
            sessionID: sessionID, messageNumber: messageNumber)
    }

    /// Makes it a new message. The one before must have its outcome, and nobody but the caller hold
    /// this object: then no call, timer or group can still come back.
    func begin(
        envelope: Envelope, inquiry: LedgerInquiry, key: APIKey, account: LoopAccount,
        owner: any SubmissionOwner, sessionID: UInt64, messageNumber: Int
    ) {
        precondition(mapper == nil, "the message before has not ended")
        if self.key !== key { self.key = key }
        if self.account !== account { self.account = account }
        self.owner = owner
        self.sessionID = sessionID
        self.messageNumber = messageNumber
        requestIDBytes = []
        if !facts.isEmpty { facts = MessageFacts() }
        if !lossWords.isEmpty { lossWords = "" }
        machine = SubmissionMachine(
            thresholdBytes: worker.configuration.messages.bufferThresholdBytes)
        group = nil
        isGuarded = false
        contentBytes = 0
        scope = inquiry.scope
        ticket = inquiry.ticket
        fingerprint.begin(inquiry, envelope)
        isFingerprinted = true
        lease = 0
        if !records.isEmpty { records = [:] }
        if knownOutcome != nil { knownOutcome = nil }
        upload.begin(key: key, account: account, owner: self)
        let mapper = worker.mappers.take()
        mapper.begin(
            sender: envelope.bytes(envelope.sender), recipientCount: envelope.recipientCount,
            files: account, into: upload.body)
        for index in 0..<envelope.recipientCount {
            mapper.addRecipient(envelope.bytes(envelope.recipient(index)))
        }
        self.mapper = mapper
    }

    // MARK: - What the session says

    /// Content, transparency dots off; read during this call only.
    func feed(_ content: Bytes) -> FeedVerdict {
        contentBytes += content.count
        guard machine.isReceiving, let mapper else { return .decided }
        if isFingerprinted { fingerprint.feed(content) }
        if !mapper.isHeadMapped, ledger.mayHoldRecipients(scope, ticket: ticket) {
            mapper.holdRecipients()
        }
        mapper.feed(content)
        if let failure = mapper.failure {
            perform(machine.mapperFailed(failure))
            return .decided
        }
        if isFingerprinted, mapper.isHeadMapped, !mapper.hasMessageID, mapper.held == nil {
            isFingerprinted = ledger.mayHold(scope, ticket: ticket)
        }
        perform(machine.contentFed(bodyBytes: upload.body.byteCount))
        return machine.isPaused ? .pause : .goOn
    }

    /// The content came by BDAT, and its last line has no end. By DATA it would have one, and the
    /// client may change from one to the other between two tries: the ledger knows both by one name.
    func endLineForLedger() {
        let lineEnd: [UInt8] = [0x0D, 0x0A]
        if isFingerprinted { fingerprint.feed(lineEnd.span) }
    }

    /// The end of data was seen. The outcome if it is known now, else nil and
    /// `submissionFinished` follows by `deadline`.
    /// - Parameter deadline: when the client must have its reply, counted from when the end of data
    ///   was read. It may have waited in memory until the API took what came before it.
    func finish(by deadline: MonotonicTime) -> Outcome? {
        if machine.isReceiving, let mapper {
            mapper.finish()
            if let failure = mapper.failure {
                perform(machine.mapperFailed(failure))
            } else if mapper.hasMessageID {
                isGuarded = true
            }
        }
        let isKnown =
            machine.isReceiving && isFingerprinted
            && ledger.mayHold(scope, ticket: ticket)
        perform(machine.endOfData(by: deadline, at: now, isKnown: isKnown))
        return machine.outcome
    }

    /// The client has ended its side while the answer is awaited. It is told the outcome all the
    /// same.
    func clientMayBeGone() { perform(machine.clientInDoubt()) }

    /// The client is gone, or the message is too large: nothing may reach the API as complete. What
    /// is complete is awaited in silence, for the ledger.
    /// - Parameters:
    ///   - kind: what it counts as.
    ///   - memory: what the message has reserved. Given back when its body is in use no more: now,
    ///     or when the answer that is awaited has come.
    func abandon(
        as kind: OutcomeKind = .abandoned, holding memory: consuming MemoryShare? = nil
    ) {
        owner = nil
        perform(machine.abandoned(as: kind))
        if machine.isAbandoned { self.memory = memory }
    }

    /// What a verbose reply says that the message has lost; nothing when the ledger had its outcome,
    /// because this copy was not sent.
    var replyLosses: String { facts.isFromLedger ? "" : lossWords }

    /// Whether it matters if the client has seen a reply that is no 250: some have the message, and
    /// others were refused for good.
    var isPartlyAccepted: Bool { group?.hasAccepted ?? false }

    /// The client cannot have seen the reply: the connection broke before its next command.
    func replyUnseen() { perform(machine.replyUnseen()) }

    /// The client was there to read the reply.
    func replySeen() {
        perform(machine.replySeen())
        fingerprint.letGo()
    }

    // MARK: - What the upload and the group say

    func uploadWantsBody(_ upload: Upload) { perform(machine.apiWantsBody()) }

    func uploadFinished(_ upload: Upload, _ result: APIResult) {
        let outcome = interpret(result)
        guard let knownOutcome else { return perform(machine.answered(outcome)) }
        perform(machine.answered(GroupMachine.worse(knownOutcome, than: outcome)))
    }

    func uploadStalled(_ upload: Upload) {
        guard let verdict = machine.stalled() else { return }
        logStalled()
        perform(verdict)
    }

    /// The last call of a group has ended.
    func groupFinished(_ outcome: Outcome) {
        perform(machine.answered(outcome, owesRecords: group?.owesRecords ?? false))
    }

    // MARK: - What the machine says

    /// Carries a verdict out, and those that the machine gives on what came of it.
    @inline(__always)
    private func perform(_ verdict: SubmissionVerdict?) {
        if let verdict { performAll(from: verdict) }
    }

    private func performAll(from first: SubmissionVerdict) {
        var next: SubmissionVerdict? = first
        while let verdict = next { next = carryOut(verdict) }
    }

    @inline(__always)
    private func carryOut(_ verdict: SubmissionVerdict) -> SubmissionVerdict? {
        switch verdict {
        case .startCall:
            if let mapper { upload.noteFrom(of: mapper) }
            upload.start()
            return machine.callHasGrown(isFull: upload.isFull)
        case .growCall:
            upload.grow()
            return machine.callHasGrown(isFull: upload.isFull)
        case .pauseSession:
            // There is no deadline before the end of data: the API has its whole time to read on.
            upload.watch(
                until: now.advanced(byMilliseconds: worker.configuration.api.timeoutMilliseconds))
        case .continueSession:
            upload.unwatch()
            owner?.submissionCanContinue(self)
        case .askLedger: return askLedger()
        case .waitForOther: waitForOther()
        case .giveBack: giveBack()
        case .awaitRecords: return awaitRecords()
        case .completeBody(let deadline): return completeBody(by: deadline)
        case .pumpBody: return pumped(upload.pump())
        case .recordPending(let deadline): recordPending(until: deadline)
        case .awaitSilently(let deadline):
            worker.counters.messagesUnawaited += 1
            recordPending(until: deadline)
        case .record: recordAccepted()
        case .recordRecipients: group?.recordAll()
        case .forget: forget(taken: true)
        case .end(let told, let note): end(told, note)
        case .drop(let kind, let settles):
            worker.counters.messages.count(kind, bytes: contentBytes)
            if settles { settle() }
            release()
        }
        return nil
    }

    private func completeBody(by deadline: MonotonicTime) -> SubmissionVerdict? {
        guard let mapper else { return nil }
        upload.noteFrom(of: mapper)
        if !records.isEmpty { machine.recipientsAreRecorded() }
        guard mapper.held == nil else { return sendHeld(mapper, by: deadline) }
        return pumped(upload.finish(by: deadline, from: .mapper(mapper)))
    }

    private func pumped(_ progress: Upload.Progress) -> SubmissionVerdict? {
        switch progress {
        case .complete:
            giveMapperBack()
            return machine.bodyCompleted()
        case .waiting: return machine.bodyWaits()
        case .failed:
            return machine.mapperFailed(mapper?.failure ?? .unavailable(isUncertain: false))
        }
    }

    /// The whole message is known, and so is who has it already.
    private func sendHeld(
        _ mapper: MessageMapper, by deadline: MonotonicTime
    ) -> SubmissionVerdict? {
        guard mapper.drain(upTo: .max), let recipients = mapper.heldRecipients() else {
            return machine.mapperFailed(mapper.failure ?? .unavailable(isUncertain: false))
        }
        if !mapper.isGroup, !records.isEmpty {
            let known = recipients.map { records[fingerprint.recipient($0.span)]?.fact.outcome }
            mapper.leaveOut(known.map { $0 != nil })
            for case let outcome? in known {
                knownOutcome = GroupMachine.worse(outcome, than: knownOutcome)
            }
            facts.note(knownCount: known.count { $0 != nil })
        }
        guard !mapper.isGroup else { return startGroup(mapper, recipients, by: deadline) }
        mapper.writeHeldRecipients(into: upload.body)
        guard let held = mapper.takeHeld() else { return nil }
        giveMapperBack()
        return pumped(upload.finish(by: deadline, from: .held(held)))
    }

    private func startGroup(
        _ mapper: MessageMapper, _ recipients: [[UInt8]], by deadline: MonotonicTime
    ) -> SubmissionVerdict? {
        let isDated = mapper.hasMessageID || mapper.hasDate
        guard let held = mapper.takeHeld() else { return nil }
        upload.end()
        giveMapperBack()
        let group = GroupSend(
            submission: self, held: held, recipients: recipients, fingerprint: fingerprint,
            scope: scope, isDated: isDated, records: records, deadline: deadline)
        self.group = group
        if let outcome = group.start() {
            return machine.answered(outcome, owesRecords: group.owesRecords)
        }
        return machine.bodyCompleted()
    }

    private func end(_ told: SubmissionVerdict.Told, _ note: SubmissionVerdict.Note) {
        guard let outcome = machine.outcome else { return }
        switch note {
        case .nothing: break
        case .record: recordAccepted()
        case .settle: settle()
        }
        if !outcome.isAccepted, !outcome.isForTheMoment { endedForGood() }
        worker.counters.messages.count(outcome.kind, bytes: contentBytes)
        if let group { facts.note(group.facts) }
        release()
        switch told {
        case .nobody: break
        case .sessionContinues: owner?.submissionCanContinue(self)
        case .sessionFinishes:
            let owner = owner
            self.owner = nil
            owner?.submissionFinished(self, outcome)
        }
    }

    /// Nobody comes back for the rest, unless the client may not have seen why.
    private func endedForGood() {
        if machine.isEndInDoubt { group?.recordAll() } else { forget(taken: false) }
    }

    /// Lets go of everything; nothing that is incomplete reaches the API as complete.
    private func release() {
        upload.end()
        if pause != nil { endPause() }
        if mapper != nil { giveMapperBack() }
        memory = nil
    }

    private func giveMapperBack() {
        guard let mapper else { return }
        self.mapper = nil
        if worker.configuration.mapping.keepsMessageID {
            facts.note(clientMessageID: mapper.messageID)
        }
        if let failure = mapper.failure { note(failure, mapper.spillFailure) }
        let losses = mapper.allLosses
        if losses != MappingLosses() {
            worker.counters.losses.add(losses)
            log(.debug, "mapping-losses", ["kinds": losses.summary])
            if worker.configuration.reloadable.hasVerboseReplies {
                lossWords = losses.wordsForSender
            }
        }
        worker.mappers.give(back: mapper)
    }

    /// Counts and logs what a bound of the relay refused.
    private func note(_ failure: Outcome, _ spillFailure: SpillFailure?) {
        switch (failure, spillFailure) {
        case (.groupTooLarge, _): worker.counters.groupsRefusedInData += 1
        case (.noRoom, let reason?):
            worker.counters[keyPath: reason.counter] += 1
            log(
                .warning, "no-temporary-room",
                [
                    "reason": reason.words, "remedy": reason.remedy,
                    "key": hexadecimal(account.shared.name),
                    "held": "\(account.shared.temporaryBytes)",
                    "used": "\(account.temporary.usedBytes)",
                    "budget": "\(account.temporary.bytesMax)",
                ])
        default: return
        }
        account.shared.noteRefused()
    }

    // MARK: - The ledger

    private func askLedger() -> SubmissionVerdict? {
        let question = LedgerQuestion(
            scope: scope, whole: isGuarded ? fingerprint.whole() : nil,
            recipients: fingerprint.allRecipients())
        let answer = ledger.ask(question) { [self] answer in
            perform(machine.ledgerFound(finding(answer, question)))
        }
        guard let answer else {
            machine.ledgerAsked()
            return nil
        }
        return machine.ledgerFound(finding(answer, question))
    }

    /// What an answer means for this message.
    private func finding(_ answer: LedgerAnswer, _ question: LedgerQuestion) -> SubmissionFinding {
        switch answer.whole {
        case .accepted(let messageID):
            toldMessageID = messageID
            noteAnswered()
            return .known(.accepted(messageID: messageID), isTaken: true)
        case .pending:
            if pause == nil { worker.counters.duplicatesPending += 1 }
            return .underWay
        default: break
        }
        for (digest, record) in zip(question.recipients, answer.recipients) {
            records[digest] = record
        }
        let known = answer.recipients.compactMap { $0?.fact.outcome }
        // A held message leaves them out.
        guard let mapper, !mapper.isGroup, let first = known.first else { return .unknown }
        guard known.count == answer.recipients.count else {
            return mapper.held == nil ? .mixed : .unknown
        }
        noteAnswered()
        return .known(
            known.reduce(first) { GroupMachine.worse($1, than: $0) }, isTaken: false)
    }

    private func noteAnswered() {
        facts.noteLedger()
        worker.counters.duplicatesAnswered += 1
    }

    /// Looks again whether the other try has its answer.
    private func waitForOther() {
        startPause(milliseconds: Ledger.lookMilliseconds) { [weak self] in
            guard let self else { return }
            perform(machine.otherMayHaveEnded(at: now))
        }
    }

    /// Has the records of a group written before the reply.
    private func awaitRecords() -> SubmissionVerdict? {
        let isWritten = ledger.apply([]) { [self] in
            endPause()
            perform(machine.recordsWritten())
        }
        if isWritten { return machine.recordsWritten() }
        let patience = ledger.writePatienceMilliseconds(until: group?.deadline ?? now)
        startPause(milliseconds: patience) { [weak self] in
            guard let self else { return }
            worker.counters.ledgerWaitsOver += 1
            perform(machine.recordsWritten())
        }
        return nil
    }

    private func startPause(milliseconds: Int, _ whenOver: @escaping () -> Void) {
        let pause = pause ?? LedgerPause(loop: worker.loop)
        self.pause = pause
        pause.begin(until: now.advanced(byMilliseconds: milliseconds), whenOver)
    }

    private func endPause() {
        pause?.end()
        pause = nil
    }

    private func change(_ kinds: [LedgerChange.Kind?]) -> [LedgerChange] {
        guard isGuarded else { return [] }
        let digest = fingerprint.whole()
        return kinds.compactMap { kind in
            kind.map { LedgerChange($0, scope: scope, digest: digest) }
        }
    }

    /// What the client's next try must know of before the answer is there.
    private func recordPending(until deadline: MonotonicTime) {
        guard isGuarded, lease == 0 else { return }
        lease = Randomness.name()
        ledger.apply(change([ledger.lease(lease, until: deadline)]))
    }

    /// What was under way has ended, and nothing of the whole is to be remembered.
    private func settle() {
        guard lease != 0 else { return }
        ledger.apply(change([.settle(submission: lease)]))
    }

    /// The API accepted it, and the client does not know. What was recorded of recipients is part of
    /// that now. A message that is not guarded leaves nothing, unless an earlier try was accepted for
    /// some: their records end with a 250 that the client has seen, so this is still the same message.
    private func recordAccepted() {
        guard case .accepted(let messageID) = machine.outcome else { return }
        guard isGuarded || records.isEmpty else {
            group?.recordAll()
            return
        }
        ledger.apply(change([ledger.acceptance(messageID)]) + recipientsForgotten())
    }

    /// The ledger has told of it, but there was nobody any more to be told.
    private func giveBack() { ledger.apply(change([ledger.acceptance(toldMessageID)])) }

    /// Nobody will ask for these records any more.
    /// - Parameter taken: that of the whole, too.
    private func forget(taken: Bool) {
        let whole = taken && facts.isFromLedger ? change([.forget]) : []
        ledger.apply(whole + recipientsForgotten())
    }

    private func recipientsForgotten() -> [LedgerChange] {
        guard group != nil || !records.isEmpty else { return [] }
        // In one order, so that a run of the simulation can be repeated.
        let digests = Set(records.keys).union(group?.recorded ?? []).sorted()
        return digests.map { LedgerChange(.forget, scope: scope, digest: $0) }
    }

    // MARK: - What an answer says

    /// The outcome that one call's result stands for, logged and remembered.
    func interpret(_ result: APIResult) -> Outcome {
        switch result {
        case .response(let response):
            let outcome = response.outcome(reusing: &messageIDMemory)
            requestIDBytes = response.requestIDBytes
            if (400...499).contains(response.status) { facts.note(response, key: key) }
            log(
                response.status < 500 ? .debug : .notice, "api-answer",
                ["status": String(response.status), "request_id": response.requestID])
            learn(from: outcome)
            if response.isForeign { logForeign(response) }
            if (200...299).contains(response.status), !outcome.isAccepted {
                logUncertain("a success that can't be read", response.requestID)
            } else if response.status == 408 {
                logUncertain("408 for a request that the API may have", response.requestID)
            }
            return outcome
        case .notSent(let reason):
            log(.notice, "api-not-sent", ["reason": reason])
            return .unavailable(isUncertain: false)
        case .limited(let limit):
            log(.debug, "api-limit-known", ["kind": limit.kind])
            return .rateLimited(limit)
        case .uncertain(let reason, let requestID):
            requestIDBytes = Array(requestID.utf8)
            logUncertain(reason, requestID)
            return .unavailable(isUncertain: true)
        }
    }

    /// Limits are learnt by the upload.
    private func learn(from outcome: Outcome) {
        guard case .keyRefused = outcome, worker.shared.keyCache.forget(key.hash) else { return }
        worker.shared.fleet.forgotten(key: account.shared.name)
    }

    /// The domain of `from` in the request; empty before there is one.
    var fromDomain: String { upload.fromDomain }

    /// Calls of a group have the `from` of the whole.
    func lendFrom(to upload: Upload) { upload.noteFrom(of: self.upload) }

    // MARK: - The log

    /// The API has read nothing for as long as it may take.
    func logStalled() { log(.notice, "api-stalled") }

    /// Something in front of the API has answered.
    private func logForeign(_ response: APIResponse) {
        log(
            .warning, "api-foreign-answer",
            [
                "status": String(response.status),
                "content_type": response.origin?.contentType ?? "",
                "server": response.origin?.server ?? "", "request_id": response.requestID,
            ])
    }

    private func logUncertain(_ reason: String, _ requestID: String) {
        log(.warning, "api-uncertain", ["reason": reason, "request_id": requestID])
    }

    /// One event of this message, which `session` and `message` together name. The fields are not
    /// made when it is not logged.
    private func log(
        _ level: Logger.Level, _ name: StaticString,
        _ fields: @autoclosure () -> KeyValuePairs<StaticString, String> = [:]
    ) {
        guard worker.shared.log.control.allows(level) else { return }
        worker.shared.log.event(
            level, name, session: sessionID, message: messageNumber, fields())
    }
}
