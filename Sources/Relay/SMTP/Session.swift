// One SMTP session: the driver between a stream, the session's machine, and the API.
//
// It decides nothing. It has the machine find the pieces of what arrives, tells it what happens, and
// carries its verdicts out (`perform`): each may lead to the next at once. Credentials are
// `SessionLogin`'s, messages and their memory `SessionMessages`', what is written `SessionLog`'s.
//
// While something is awaited, what arrives is kept and not used, so input in memory is bounded by
// one read of the stream. The client is not read while a key is checked or memory is awaited. While
// the API is asked about a message the client is read, within `keptBytesMax`, so that its end is
// noticed.

import APIClient
import Log
import Reactor
import Wire

/// A client's connection, from accept to close. Lives on its worker's loop.
package final class Session: KeyCheckOwner, SubmissionOwner {
    /// Bytes in hand beyond which a client that waits for its reply is not read.
    private static let keptBytesMax = 4_096
    /// Commands in one turn of the loop, before the login and after it; then others have theirs.
    private static let strangersCommandsMax = 10
    private static let commandsMax = 50

    private let worker: Worker
    private let peer: SocketAddress
    /// Index of the listener that it came through.
    private let listener: Int
    /// For the log and for the API; 0 until the stream is there.
    private var id: UInt64 = 0
    private var stream: Stream?
    private var machine: SessionMachine
    private var input = SessionInput()
    /// When the input in hand, or the one that is being taken, was read from the kernel.
    private var inputArrivedAt = MonotonicTime(nanoseconds: 0)
    private var login = SessionLogin()
    private var messages = SessionMessages()
    private var log: SessionLog
    /// Of a message whose outcome was told before its last chunk.
    private var refusal: Reply?
    /// The last reply, if it refused something.
    private var lastRefusal: Reply?
    /// The client has ended its side while it waits for the API's answer: it is gone, or it will
    /// read the reply and say no more.
    private var hasPeerEnded = false
    /// Commands that were answered in the turn of the loop that began at `turnBegan`.
    private var turnCommands = 0
    private var turnBegan = MonotonicTime(nanoseconds: 0)
    /// The session has had its turn, and goes on in the next one.
    private var hasYielded = false
    /// Its neighbours in the list of its loop (`SessionList`).
    private(set) var nextInList: Session?
    private var previousInList: Session?

    private var now: MonotonicTime { worker.loop.now }

    package init(worker: Worker, peer: SocketAddress, isImplicitTLS: Bool, listener: Int = 0) {
        self.worker = worker
        self.peer = peer
        self.listener = listener
        machine = SessionMachine(
            options: SessionMachine.Options(worker.configuration),
            isImplicitTLS: isImplicitTLS, at: worker.loop.now)
        log = SessionLog(worker, peer: peer)
        super.init()
    }

    // MARK: The stream's events

    package override func streamAccepted(_ stream: Stream) {
        self.stream = stream
        id = worker.enter(self)
        worker.counters.sessionsAccepted += 1
        worker.listenerCounters[listener].accepted += 1
        log.opened(id, isTLS: machine.isTLS, at: now)
        settle()
    }

    package override func streamOpened(_ stream: Stream) {
        if let tls = stream.tls { countHandshake(tls) }
        perform(machine.opened(at: now))
        finishEvent()
    }

    package override func streamReceived(_ stream: Stream, _ bytes: Bytes) {
        guard !machine.isClosed else { return }
        messages.noteSeen(at: stream.arrivedAt)
        // Before the login any input may hold a part of a key.
        if !machine.login.isAuthenticated { stream.wipeReceived() }
        take(bytes)
        finishEvent()
    }

    /// The client reads our replies again: what is in hand is used.
    package override func streamDrained(_ stream: Stream) { finishEvent() }

    package override func streamTimedOut(_ stream: Stream) {
        perform(machine.timedOut(at: now))
        finishEvent()
    }

    package override func streamPeerEnded(_ stream: Stream) -> Bool {
        guard machine.awaitsOutcome else { return false }
        hasPeerEnded = true
        messages.clientMayBeGone()
        return true
    }

    package override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        if machine.isHandshaking { worker.listenerCounters[listener].handshakesFailed += 1 }
        if machine.endsInBareDot { noteUnended() }
        machine.gone()
        messages.close(isSeen: stream.hasPeerEndedWithEverything && !hasPeerEnded)
        login.giveUp(worker.keyChecker, for: self)
        login.logOut()
        input.wipe()
        self.stream = nil
        worker.leave(self)
        worker.counters.sessionsClosed += 1
        worker.counters.bareLineFeeds += machine.bareLineFeeds
        worker.shared.abuse.disconnected(peer, at: now)
        note("closed")
        log.closed(reason, messages: messages.count)
    }

    // MARK: Other events

    override func keyChecked(_ verdict: KeyVerdict) {
        perform(settleKey(verdict))
        finishEvent()
    }

    func submissionCanContinue(_ submission: Submission) {
        guard messages.isCurrent(submission) else { return }
        machine.submissionContinues(at: now)
        finishEvent()
    }

    func submissionFinished(_ submission: Submission, _ outcome: Outcome) {
        guard messages.isCurrent(submission) else { return }
        perform(conclude(outcome))
        finishEvent()
    }

    /// The line for memory has answered.
    private func budgetAnswered(_ ticket: UInt64) {
        guard let isGranted = messages.collect(ticket) else { return }
        if !isGranted { noteMemoryRefused() }
        perform(isGranted ? machine.budgetGranted(at: now) : machine.budgetRefused(at: now))
        finishEvent()
    }

    /// The process is to end.
    /// - Parameter isGraceful: a client that has sent no message yet may still send one.
    func drain(isGraceful: Bool) {
        if isGraceful, messages.count == 0 { return }
        perform(machine.drain(at: now))
        settle()
    }

    /// What comes after every event: the drain that waited for it, the input that waited for it.
    private func finishEvent() {
        if machine.isDraining { perform(machine.drain(at: now)) }
        takeKept()
        // All that it sent is used, and no more will come.
        if hasPeerEnded, canTake { stream?.finish() }
        settle()
    }

    /// Reads or does not read, and wakes up in time, as the machine now needs it.
    private func settle() {
        guard let stream, !machine.isClosed else { return }
        let listens = machine.awaitsOutcome && input.keptByteCount < Self.keptBytesMax
        let reads = machine.isHandshaking || listens || machine.acceptsInput && !hasYielded
        if reads == stream.isReceivingPaused {
            if reads { stream.resumeReceiving() } else { stream.pauseReceiving() }
        }
        let deadline = machine.deadline
        if deadline < stream.deadline { stream.deadline = deadline }
    }

    // MARK: Input

    /// Whether input may be used now: the machine waits for it, and the client reads our replies.
    private var canTake: Bool {
        machine.acceptsInput && !hasYielded && stream?.isHeldBack == false
    }

    /// Takes as much of `bytes` as the machine lets us, and keeps the rest.
    private func take(_ bytes: Bytes) {
        var offset = 0
        if input.isEmpty {
            inputArrivedAt = stream?.arrivedAt ?? now
        } else {
            // A line began in an earlier read. Its end is enough to go on from the span itself.
            let end = bytes.firstIndex(of: 0x0A).map { $0 + 1 } ?? bytes.count
            input.keep(bytes.extracting(0..<end))
            offset = end
            takeKept(bytesAfter: bytes.count - end)
        }
        if input.isEmpty { consume(bytes, &offset) }
        if offset < bytes.count && !machine.isClosed {
            input.keep(bytes.extracting(offset..<bytes.count))
        }
    }

    /// Goes on with what is in hand.
    /// - Parameter bytesAfter: bytes that have arrived after it.
    private func takeKept(bytesAfter: Int = 0) {
        guard !input.isEmpty || machine.isChunkOver, canTake else { return }
        let kept = input.take()
        var offset = kept.start
        consume(kept.bytes.span, &offset, bytesAfter: bytesAfter)
        input.restore(kept, usedTo: offset)
    }

    /// Uses one piece after the other until the machine takes no more.
    private func consume(_ bytes: Bytes, _ offset: inout Int, bytesAfter: Int = 0) {
        while offset < bytes.count || machine.isChunkOver, canTake {
            switch machine.next(bytes, &offset) {
            case .content(let range): feed(bytes.extracting(range))
            case .command(let range):
                let hasMore = offset < bytes.count || bytesAfter > 0
                command(bytes.extracting(range), hasBytesAfter: hasMore)
                countCommand()
            case .response(let range): response(bytes.extracting(range))
            case .endOfData: endOfData()
            case .literalCR:
                let carriageReturn: [UInt8] = [0x0D]
                feed(carriageReturn.span)
            case .tooLong:
                worker.counters.commands.count(.malformed)
                note("a line over the limit")
                perform(machine.lineTooLong(at: now))
                countCommand()
            case .needInput:
                stream?.awaitRest()
                return
            }
        }
        if machine.isReadingContent { stream?.awaitRest() }
    }

    /// A command was answered. After some of them the other sessions of the loop have their turn.
    private func countCommand() {
        if turnBegan != now {
            turnBegan = now
            turnCommands = 0
        }
        turnCommands += 1
        let most =
            machine.login.isAuthenticated ? Self.commandsMax : Self.strangersCommandsMax
        guard turnCommands >= most else { return }
        hasYielded = true
        // What is done later is done in this turn; what that does later, in the next.
        worker.loop.later { [self] in worker.loop.later { [self] in beginTurn() } }
    }

    private func beginTurn() {
        hasYielded = false
        turnCommands = 0
        finishEvent()
    }

    private func command(_ line: Bytes, hasBytesAfter: Bool) {
        let command = Command.parse(line)
        let verb = CommandVerb(command)
        worker.counters.commands.count(verb)
        if log.isTraced { log.line(verb, line, message: messages.count, at: now) }
        perform(
            machine.command(command, in: line, hasBytesAfter: hasBytesAfter, at: now), in: line)
    }

    private func response(_ line: Bytes) {
        worker.counters.commands.count(.response)
        log.line(.response, line, message: messages.count, at: now)
        perform(machine.responseLine(line, at: now), in: line)
    }

    private func feed(_ content: Bytes) {
        worker.counters.contentBytes += content.count
        switch machine.contentArrived(content.count, at: now) {
        case .discard: return
        case .abandon: return messages.drop(as: .tooLarge)
        case .tooSlow: return perform(machine.contentIsTooSlow())
        case .feed: break
        }
        switch messages.feed(content) {
        case .goOn: break
        case .pause: machine.submissionPaused(at: now)
        case .decided: machine.submissionDecided()
        }
        if let missing = machine.checkMemory(at: now) { perform(.reserve(bytes: missing)) }
    }

    /// The client has ended its message with a dot that ends none, and said no more.
    private func noteUnended() {
        worker.counters.messagesUnended += 1
        log.messageUnended(message: messages.count, contentBytes: machine.data.byteCount)
    }

    private func endOfData() {
        if !machine.expectsChunks {
            worker.counters.dataTimes.record(
                nanoseconds: now.nanoseconds(since: machine.data.beganAt))
        }
        note("content, \(machine.data.byteCount) bytes")
        perform(machine.dataEnded(at: now, arrivedAt: inputArrivedAt))
    }

    // MARK: Verdicts

    /// Carries out a verdict, and those that follow from it at once.
    /// - Parameter line: what the ranges of the verdicts are into.
    private func perform(_ first: consuming SessionVerdict, in line: Bytes) {
        var verdict = first
        while true {
            // Each case ends here, or with the machine's verdict on what came of it.
            switch consume verdict {
            case .none: return
            case .reply(let reply): return write(reply)
            case .repeatRefusal:
                if let refusal { write(refusal) }
                return
            case .close(let reply):
                write(reply)
                return end()
            case .closeUnended:
                noteUnended()
                write(.unended)
                return end()
            case .hangUp: return hangUp()
            case .greet: return greet()
            case .hello(let isExtended):
                messages.giveUp()
                return hello(isExtended: isExtended)
            case .admitHandshake:
                verdict = machine.handshakeAnswered(isAdmitted: admitsHandshake(), at: now)
            case .startTLS: return startTLS()
            case .readResponse(let range, let exchange):
                verdict = machine.response(decode(line.extracting(range), exchange), at: now)
            case .checkKey: verdict = checkKey()
            case .noteRefusal(let fault, let isCounted):
                let mayTryAgain = noteRefusal(fault, isCounted: isCounted)
                verdict = machine.refusalNoted(mayTryAgain: mayTryAgain, at: now)
            case .logIn: verdict = logIn()
            case .askRateLimit(let sender):
                verdict = machine.rateLimitAnswered(rateLimitReply(to: line.extracting(sender)))
            case .beginMail(let mail):
                messages.begin(
                    sender: line.extracting(mail.path), isSMTPUTF8: mail.isSMTPUTF8,
                    account: login.account, ledger: worker.ledger)
                return write(.senderOk)
            case .refuseForGroup:
                worker.counters.groupsRefusedAtRcpt += 1
                login.account?.shared.noteRefused()
                return write(.groupTooLarge)
            case .addRecipient(let range):
                machine.recipientAdded(isNew: messages.addRecipient(line.extracting(range)))
                return write(.recipientOk)
            case .reserve(let bytes): verdict = reserve(bytes)
            case .beginData: verdict = beginMessage(isAnnounced: false)
            case .beginChunks: verdict = beginMessage(isAnnounced: true)
            case .finishMessage(let deadline):
                guard
                    let outcome = messages.finish(by: deadline, isLineOpen: machine.isLineOpen)
                else { return }
                verdict = conclude(outcome)
            case .giveUp(let reply):
                if messages.isWaitingForMemory { noteMemoryRefused() }
                let isChecking = login.isChecking
                giveUp()
                if isChecking { noteLoginUnavailable("the API has not answered in time") }
                if let reply { write(reply) }
                return
            case .reset:
                messages.giveUp()
                return write(lastRefusal.map(Reply.ok(after:)) ?? .ok)
            case .quit: return quit()
            }
        }
    }

    /// The same for verdicts on events other than lines.
    private func perform(_ verdict: consuming SessionVerdict) { perform(verdict, in: Bytes()) }

    private func write(_ reply: Reply) {
        stream?.write(reply, isEnhanced: worker.configuration.hasEnhancedStatusCodes)
        worker.counters.replies.count(reply.code)
        if log.isTraced { log.reply(reply, message: messages.count, at: now) }
        if reply.isFailure {
            log.refused(reply)
            lastRefusal = reply
        } else if lastRefusal != nil {
            lastRefusal = nil
        }
    }

    private func startTLS() {
        write(.readyForTLS)
        stream?.startTLS(worker.serverTLS)
    }

    private func quit() {
        write(.bye)
        end()
    }

    /// Closes after what is written. Nothing that still arrives is read.
    private func end() {
        giveUp()
        stream?.finish()
    }

    private func hangUp() {
        giveUp()
        stream?.abort()
    }

    /// Nothing is waited for any more, and no message goes on.
    private func giveUp() {
        login.giveUp(worker.keyChecker, for: self)
        messages.giveUp()
    }

    private func greet() {
        worker.counters.replies.count(220)
        note("greeted")
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Reply.wireBytesMax) { memory in
            var region = Region(memory)
            Reply.writeGreeting(
                hostname: worker.configuration.hostname.utf8.span, into: &region)
            stream?.write(region.bytes)
        }
    }

    private func hello(isExtended: Bool) {
        let configuration = worker.configuration
        worker.counters.replies.count(250)
        note(isExtended ? "EHLO answered" : "HELO answered")
        lastRefusal = nil
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Reply.ehloBytesMax) { memory in
            var region = Region(memory)
            let hostname = configuration.hostname.utf8.span
            if isExtended {
                let options = EHLOOptions(
                    isTLS: machine.isTLS, messageBytesMax: machine.limits.messageBytesMax,
                    recipientsMax: machine.limits.recipientsMax,
                    hasChunking: machine.limits.hasChunking,
                    hasEnhancedStatusCodes: configuration.hasEnhancedStatusCodes)
                Reply.writeEHLO(hostname: hostname, options: options, into: &region)
            } else {
                Reply.writeHELO(hostname: hostname, into: &region)
            }
            stream?.write(region.bytes)
        }
    }

    // MARK: Handshakes and logins

    /// Counts a handshake that is about to begin; false when it must not.
    private func admitsHandshake() -> Bool {
        if worker.shared.abuse.admitsHandshake(peer, at: now) { return true }
        worker.listenerCounters[listener].overHandshakes += 1
        log.handshakeRefused()
        return false
    }

    private func countHandshake(_ tls: TLSInfo) {
        worker.counters.handshakeTimes.record(
            nanoseconds: now.nanoseconds(since: machine.clock.waitingSince))
        if tls.version == "TLSv1.3" {
            worker.listenerCounters[listener].handshakesTLS13 += 1
        } else {
            worker.listenerCounters[listener].handshakesTLS12 += 1
        }
        if tls.resumed { worker.listenerCounters[listener].handshakesResumed += 1 }
        worker.listenerCounters[listener]
            .groups[keyPath: TLSGroupCounts.place(of: tls.group)] += 1
        log.secured(tls)
    }

    private func decode(_ response: Bytes, _ exchange: SASLExchange) -> SASLResponse {
        let decoded = login.decode(
            response, exchange, watching: worker.shared.traces, at: now)
        if let end = login.watchedUntil {
            log.beginTranscript(
                until: end, because: "the key matches", message: messages.count, at: now)
        }
        return decoded
    }

    private func checkKey() -> SessionVerdict {
        // A guesser is stopped here; a customer that shares the address with one is not.
        guard
            worker.shared.abuse.mayLogIn(peer, at: now)
                || login.isKnownToBeGood(worker.keyChecker)
        else {
            login.forgetCandidate()
            worker.counters.loginsTurnedAway += 1
            log.loginTurnedAway()
            return machine.loginTurnedAway()
        }
        guard let verdict = login.check(with: worker.keyChecker, for: self, at: peer) else {
            return .none
        }
        return settleKey(verdict)
    }

    /// The API's answer about the key that was asked about.
    private func settleKey(_ verdict: KeyVerdict) -> SessionVerdict {
        worker.counters.loginTimes.record(
            nanoseconds: now.nanoseconds(since: machine.clock.waitingSince))
        if verdict != .valid { login.forgetCandidate() }
        if case .unavailable(let reason) = verdict { noteLoginUnavailable(reason) }
        return machine.keyChecked(verdict, at: now)
    }

    private func noteLoginUnavailable(_ reason: String) {
        worker.counters.loginsUnavailable += 1
        log.loginUnavailable(login.triedName, reason: reason)
    }

    private func logIn() -> SessionVerdict {
        guard login.accept(worker.accounts, freeSessions: worker.shared.freeSessions) else {
            worker.counters.loginsOverShare += 1
            log.loginOverShare(login.triedName)
            return machine.loginHasNoRoom()
        }
        stream?.raiseBounds(to: .uploader)
        worker.counters.loginsAccepted += 1
        if let account = login.account?.shared { log.loginAccepted(account) }
        write(.authenticated)
        return .none
    }

    /// Logs a refused login, and counts it for its address.
    /// - Returns: whether the address may try again.
    private func noteRefusal(_ fault: LoginFault, isCounted: Bool) -> Bool {
        switch fault {
        case .username: worker.counters.loginsWrongUsername += 1
        case .key: worker.counters.loginsRefused += 1
        }
        log.loginRefused(fault, login.triedName)
        guard isCounted else { return true }
        let abuse = worker.shared.abuse
        abuse.loginFailed(peer, at: now)
        return abuse.mayLogIn(peer, at: now)
    }

    // MARK: Messages

    /// The reply to MAIL while a limit runs that ends too late to be waited for; nil when none does.
    private func rateLimitReply(to sender: Bytes) -> Reply? {
        let limits = worker.shared.rateLimits
        guard limits.mayHaveAny(at: now), let key = login.key else { return nil }
        if let account = login.account?.shared.name {
            worker.shared.fleet.adopt(.key(key.hash), account: account, domain: "", at: now)
        }
        guard
            let limit = limits.limitAtMail(
                key.hash, sender: LimitName.domain(of: sender), at: now,
                patience: worker.configuration.api.timeoutMilliseconds)
        else { return nil }
        worker.counters.mailLimited += 1
        log.mailRefused(limit, of: key.hash, at: now)
        return Outcome.rateLimited(limit)
            .reply(isVerbose: worker.configuration.reloadable.hasVerboseReplies)
    }

    /// Which From domain this sender leads to, for its next MAIL.
    private func noteRoute() {
        guard let key = login.key, let domains = messages.domains else { return }
        worker.shared.rateLimits.noteRoute(
            key.hash, sender: domains.sender, from: domains.from)
    }

    private func reserve(_ bytes: Int) -> SessionVerdict {
        guard let account = login.account?.shared else { return .close(.badSequence) }
        let budget = worker.shared.budget
        if messages.reserve(bytes, of: budget, for: account) {
            return machine.budgetGranted(at: now)
        }
        let mailbox = worker.loop.mailbox
        nonisolated(unsafe) let session = self  // Touched on its own loop only.
        let shortage = messages.wait(for: bytes, of: budget, account: account) { ticket in
            mailbox.post { session.budgetAnswered(ticket) }
        }
        switch shortage {
        case .budget: worker.counters.memoryWaitsForBudget += 1
        case .share: worker.counters.memoryWaitsForShare += 1
        }
        return .none
    }

    /// The message found no memory in time, or never would have.
    private func noteMemoryRefused() {
        worker.counters.memoryRefused += 1
        login.account?.shared.noteRefused()
    }

    /// - Parameter isAnnounced: the content is on the way, by BDAT, and needs no 354.
    private func beginMessage(isAnnounced: Bool) -> SessionVerdict {
        guard let key = login.key, let account = login.account else {
            return .close(.badSequence)
        }
        messages.begin(on: worker, key: key, account: account, owner: self, session: id)
        if !isAnnounced { write(.startData) }
        // While the process drains, the first message of a session is its last.
        return worker.isDraining ? machine.drain(at: now) : .none
    }

    /// The message has its outcome, and the client its reply.
    private func conclude(_ outcome: Outcome) -> SessionVerdict {
        let isVerbose = worker.configuration.reloadable.hasVerboseReplies
        let reply = outcome.reply(
            isVerbose: isVerbose, losses: isVerbose ? messages.lossWords : "")
        log.message(outcome, reply, messages, contentBytes: machine.data.byteCount)
        worker.counters.answerTimes.record(
            nanoseconds: now.nanoseconds(since: machine.clock.waitingSince))
        if worker.shared.rateLimits.mayHaveAny(at: now) { noteRoute() }
        messages.conclude(outcome, at: now)
        if machine.expectsChunks { refusal = reply }
        let isKeyRefused = if case .keyRefused = outcome { true } else { false }
        if isKeyRefused { login.logOut() }
        return machine.outcome(reply, isKeyRefused: isKeyRefused, at: now)
    }

    // MARK: The list of its loop

    /// Enters the list in front of its first session.
    func link(before first: Session?) {
        nextInList = first
        first?.previousInList = self
    }

    /// Leaves the list.
    func unlink() {
        previousInList?.nextInList = nextInList
        nextInList?.previousInList = previousInList
        nextInList = nil
        previousInList = nil
    }

    // MARK: What operators see

    /// A note in the transcript, if one is written.
    private func note(_ text: @autoclosure () -> String) {
        guard log.isTraced else { return }
        log.note(text(), message: messages.count, at: now)
    }

    /// Writes a transcript from now on, if the session is one of `subject`.
    /// - Returns: whether it is.
    func follow(_ subject: TraceRules.Subject, until end: MonotonicTime) -> Bool {
        switch subject {
        case .key(let name): guard login.account?.shared.name == name else { return false }
        case .addresses(let block): guard block.contains(peer) else { return false }
        }
        log.beginTranscript(
            until: end, because: "an operator follows this session", message: messages.count,
            at: now)
        return true
    }

    /// The session at this moment.
    var report: SessionReport {
        SessionReport(
            id: id, peer: peer, listener: listener, tls: stream?.tls?.version ?? "",
            isLoggedIn: machine.login.isAuthenticated, state: machine.phase.words,
            openMilliseconds: now.milliseconds(since: machine.clock.openedAt),
            silentMilliseconds: now.milliseconds(since: machine.clock.heardAt),
            messages: messages.count,
            contentBytes: machine.isInMessage ? machine.data.byteCount : 0)
    }
}

extension SessionMachine.Options {
    package init(_ configuration: Configuration) {
        self.init(
            limits: configuration.reloadable.limits,
            groupBytesMax: configuration.mapping.groupBytesMax,
            bufferThresholdBytes: configuration.messages.bufferThresholdBytes,
            apiTimeoutMilliseconds: configuration.api.timeoutMilliseconds)
    }
}
