// What a session answers to what, and when (RFC 5321, RFC 3207, RFC 4954, RFC 3030; the reply table
// of the product).
//
// A value: it gets one event and the time, and returns one verdict, which `Session` carries out. It
// knows no socket, no key and no text of a peer; a line is lent to it for one call. What it does
// not know it asks with a verdict, and the driver answers with an event. An event that the phase
// does not wait for changes nothing. Its logins, its DATA, its chunks and its clock are values of
// their own.

import Reactor
import Wire

/// The rules of one SMTP session.
struct SessionMachine {
    let options: Options
    private(set) var phase = Phase.handshake
    private(set) var isTLS: Bool
    private(set) var isDraining = false
    private var isGreeted = false
    /// Wrong commands.
    private(set) var errors = 0
    /// Commands that did nothing, since the login or the last message.
    private var idleCommands = 0
    /// Lines that ended with a bare LF.
    private(set) var bareLineFeeds = 0
    private(set) var transaction = Transaction()
    private(set) var login = LoginState()
    private(set) var data = DataState()
    /// Of the message, or of the stray chunk, that came last by BDAT.
    private var chunks = ChunkState()
    private(set) var clock: SessionClock

    /// - Parameter isImplicitTLS: a handshake comes before everything else.
    init(options: Options, isImplicitTLS: Bool, at now: MonotonicTime) {
        self.options = options
        isTLS = isImplicitTLS
        clock = SessionClock(options, at: now)
    }

    var limits: SessionLimits { options.limits }

    // MARK: What it reads

    /// Whether a command, a response or a piece of DATA can be taken now.
    var acceptsInput: Bool {
        switch phase {
        // A message that is under way when the process ends may come to its end.
        case .commands: !isDraining || transaction.isChunked
        case .response: !isDraining
        case .lastWord: true
        case .data: !data.isHeld
        case .handshake, .asking, .keyCheck, .loginDelay, .budget, .outcome, .closed: false
        }
    }

    /// A message is arriving, or its outcome is awaited.
    var isInMessage: Bool {
        if case .data = phase { true } else { awaitsOutcome || transaction.isChunked }
    }

    /// All of a chunk has come: `next` says so, even without input.
    var isChunkOver: Bool {
        if case .data(.chunk(let chunk)) = phase { chunk.isOver } else { false }
    }

    /// More of the message comes after the chunk that is ending.
    var expectsChunks: Bool { transaction.isChunked && !chunks.isLast }

    /// The message came by BDAT, and does not end with CRLF.
    var isLineOpen: Bool { transaction.isChunked && !chunks.reader.endsLine }

    /// The longest line to take, its line end included.
    private var lineBytesMax: Int {
        isTLS && !login.isAuthenticated ? limits.authLineBytesMax : limits.commandLineBytesMax
    }

    /// The next thing in `input`, found by the reader of the phase; `needInput` in a phase that has
    /// none. `offset` is moved to what comes after it, or to where bytes are to be kept from.
    mutating func next(_ input: Bytes, _ offset: inout Int) -> SessionPiece {
        switch phase {
        case .data(var content):
            let piece = content.next(input, &offset)
            phase = .data(content)
            return piece
        case .commands(var lines):
            let piece = command(&lines, input, &offset)
            phase = .commands(lines)
            return piece
        case .response(var lines):
            let piece = command(&lines, input, &offset)
            phase = .response(lines)
            if case .command(let range) = piece { return .response(range) }
            return piece
        case .lastWord(var lines):
            let piece = command(&lines, input, &offset)
            phase = .lastWord(lines)
            return piece
        case .handshake, .asking, .keyCheck, .loginDelay, .budget, .outcome, .closed:
            return .needInput
        }
    }

    private mutating func command(
        _ lines: inout LineReader, _ input: Bytes, _ offset: inout Int
    ) -> SessionPiece {
        let bareBefore = lines.bareLineFeeds
        switch lines.next(input, from: offset, lineBytesMax: lineBytesMax) {
        case .line(let range, let next):
            bareLineFeeds += lines.bareLineFeeds - bareBefore
            offset = next
            return .command(range)
        case .tooLong(let next):
            offset = next
            return .tooLong
        case .needInput(let keepFrom):
            offset = keepFrom
            return .needInput
        }
    }

    // MARK: Beginning and end

    /// The connection is ready for bytes: at first, and again when the handshake after STARTTLS is
    /// done. Nothing from before that survives (RFC 3207 4.2), except the count of errors.
    mutating func opened(at now: MonotonicTime) -> SessionVerdict {
        guard case .handshake = phase else { return .none }
        enterCommands(at: now)
        if !isGreeted {
            isGreeted = true
            return .greet
        }
        isTLS = true
        login = LoginState()
        transaction = Transaction()
        return .none
    }

    /// The process is to end: at once when nothing is in flight, else after the answer. To be called
    /// again after each event.
    ///
    /// A client that was answered less than a second ago is probably about to go on, or to say QUIT.
    /// It would take a 421 that crosses this on the way for the reply to it, and a client whose QUIT
    /// seems to fail may tell its user that the message failed (Python's smtplib raises).
    mutating func drain(at now: MonotonicTime) -> SessionVerdict {
        isDraining = true
        switch phase {
        case .handshake:
            phase = .closed
            return .hangUp
        // Its chunks are on the way.
        case .commands where transaction.isChunked, .budget where transaction.isChunked:
            return .none
        case .commands(let lines), .response(let lines):
            guard now < clock.lastWordEnd else { return close(.shuttingDown) }
            phase = .lastWord(lines)
            return .none
        case .budget: return close(.shuttingDown)
        case .asking, .keyCheck, .loginDelay, .data, .outcome, .lastWord, .closed: return .none
        }
    }

    /// The connection has ended.
    mutating func gone() { phase = .closed }

    private mutating func close(_ reply: Reply) -> SessionVerdict {
        phase = .closed
        return .close(reply)
    }

    /// Answers a wrong command; the last one that is allowed closes the session.
    private mutating func refuse(_ reply: Reply) -> SessionVerdict {
        errors += 1
        return errors >= limits.errorsMax ? close(.tooManyErrors) : .reply(reply)
    }

    /// Answers a command that brings the session no further; one too many closes it. A client that
    /// keeps its connection open with NOOP is honest, so after a login more are allowed.
    private mutating func doNothing(_ verdict: SessionVerdict) -> SessionVerdict {
        idleCommands += 1
        let most =
            login.isAuthenticated ? limits.idleCommandsMax : limits.idleCommandsBeforeLoginMax
        return idleCommands > most ? close(.tooManyCommands) : verdict
    }

    /// The next line is a command, and the client's clock starts anew.
    private mutating func enterCommands(at now: MonotonicTime) {
        phase = .commands(LineReader())
        clock.heard(at: now)
    }

    /// Asks the driver, which answers within the same event.
    private mutating func ask(_ question: Question, _ verdict: SessionVerdict) -> SessionVerdict {
        phase = .asking(question)
        return verdict
    }

    // MARK: Commands

    /// One command line.
    /// - Parameters:
    ///   - line: what the ranges of `command` are into; read during this call only.
    ///   - hasBytesAfter: more has arrived after this line already.
    mutating func command(
        _ command: Command, in line: Bytes, hasBytesAfter: Bool, at now: MonotonicTime
    ) -> SessionVerdict {
        switch phase {
        case .commands: break
        case .lastWord:
            guard case .quit = command else { return close(.shuttingDown) }
        default: return .none
        }
        clock.heard(at: now)
        // Before a login lines may be longer, but only for AUTH.
        if line.count > limits.commandLineBytesMax - 2, !command.mayBeLong {
            return refuse(.lineTooLong)
        }
        switch command {
        case .mail(let mail): return self.mail(mail, line)
        case .rcpt(let rcpt): return self.rcpt(rcpt, line)
        case .data: return data(hasBytesAfter: hasBytesAfter, at: now)
        case .bdat(let bdat): return self.bdat(bdat, at: now)
        case .rset:
            defer { transaction = Transaction() }
            return doNothing(.reset)
        case .ehlo: return hello(isExtended: true)
        case .helo: return hello(isExtended: false)
        case .startTLS: return startTLS(hasBytesAfter: hasBytesAfter)
        case .auth(let mechanism, let initial): return auth(line, mechanism, initial)
        case .noop: return doNothing(.reply(.ok))
        case .vrfy: return doNothing(.reply(.cannotVerify))
        case .help:
            return doNothing(.reply(limits.hasChunking ? .help : .helpWithoutChunking))
        case .expn: return refuse(.notImplemented)
        case .quit:
            phase = .closed
            return .quit
        // A browser was led here: its body may hold commands of an attacker.
        case .httpVerb: return close(.notHTTP)
        // What follows is a payload of which nobody knows the end.
        case .malformed(.badChunk): return close(.badChunk)
        case .malformed(let fault): return refuse(fault.reply)
        }
    }

    /// A line over the limit has ended.
    mutating func lineTooLong(at now: MonotonicTime) -> SessionVerdict {
        switch phase {
        case .commands(let lines):
            clock.heard(at: now)
            return lines.isLongLineBDAT ? close(.badChunk) : refuse(.lineTooLong)
        case .response:
            enterCommands(at: now)
            return refuse(.authLineTooLong)
        case .lastWord: return close(.shuttingDown)
        default: return .none
        }
    }

    /// EHLO and HELO end a transaction (RFC 5321 4.1.4), not a login.
    private mutating func hello(isExtended: Bool) -> SessionVerdict {
        transaction = Transaction()
        return doNothing(.hello(isExtended: isExtended))
    }

    private mutating func startTLS(hasBytesAfter: Bool) -> SessionVerdict {
        if isTLS { return refuse(.tlsAlreadyActive) }
        // Someone else may have put them there (CVE-2011-0411).
        if hasBytesAfter { return close(.bytesBehindSTARTTLS) }
        return ask(.handshake, .admitHandshake)
    }

    /// Whether the address of the client may begin a handshake.
    mutating func handshakeAnswered(
        isAdmitted: Bool, at now: MonotonicTime
    ) -> SessionVerdict {
        guard case .asking(.handshake) = phase else { return .none }
        guard isAdmitted else { return close(.tooManyHandshakes) }
        phase = .handshake
        clock.wait(since: now)
        return .startTLS
    }

    private mutating func mail(_ mail: MailCommand, _ line: Bytes) -> SessionVerdict {
        guard login.isAuthenticated else {
            return login.replyToMail.map { doNothing(.reply($0)) } ?? refuse(.authRequired)
        }
        guard !transaction.hasSender else { return refuse(.badSequence) }
        guard limits.hasChunking || !mail.isBinaryMIME else { return refuse(.unknownParameter) }
        guard mail.isSMTPUTF8 || line.extracting(mail.path).isASCII else {
            return refuse(.utf8Required)
        }
        if let size = mail.size, size > limits.messageBytesMax {
            return .reply(.messageTooLarge(bytesMax: limits.messageBytesMax))
        }
        return ask(.rateLimit(mail), .askRateLimit(sender: mail.path))
    }

    /// Whether the key may send now.
    /// - Parameter refusal: the reply to MAIL while a limit of the API runs; nil when none does.
    mutating func rateLimitAnswered(_ refusal: Reply?) -> SessionVerdict {
        guard case .asking(.rateLimit(let mail)) = phase else { return .none }
        phase = .commands(LineReader())
        if let refusal { return doNothing(.reply(refusal)) }
        transaction.begin(mail)
        return .beginMail(mail)
    }

    private mutating func rcpt(_ rcpt: RcptCommand, _ line: Bytes) -> SessionVerdict {
        guard transaction.hasSender, !transaction.isChunked else { return refuse(.badSequence) }
        guard transaction.recipientCount < limits.recipientsMax else {
            return .reply(.tooManyRecipients)
        }
        guard transaction.isSMTPUTF8 || line.extracting(rcpt.path).isASCII else {
            return refuse(.utf8Required)
        }
        // They may all be hidden, and then each gets a call of its own with the whole message.
        let size = transaction.announcedBytes ?? 0
        let (bytes, isOver) = size.multipliedReportingOverflow(by: transaction.recipientCount + 1)
        if transaction.recipientCount > 0, isOver || bytes > options.groupBytesMax {
            return .refuseForGroup
        }
        return .addRecipient(rcpt.path)
    }

    /// A recipient is in the envelope; `isNew` is false when it was there before.
    mutating func recipientAdded(isNew: Bool) {
        guard isNew, case .commands = phase else { return }
        transaction.addRecipient()
    }

    // MARK: Logins

    private mutating func auth(
        _ line: Bytes, _ mechanism: Range<Int>, _ initial: Range<Int>?
    ) -> SessionVerdict {
        guard isTLS else { return refuse(.tlsRequired) }
        if transaction.hasSender { return refuse(.badSequence) }
        if login.isAuthenticated { return refuse(.alreadyAuthenticated) }
        guard login.begin(line.extracting(mechanism)) else { return refuse(.unknownMechanism) }
        if let initial { return ask(.response, .readResponse(initial, login.exchange)) }
        phase = .response(LineReader())
        return .reply(login.firstChallenge)
    }

    /// A line of an AUTH exchange has come.
    mutating func responseLine(_ line: Bytes, at now: MonotonicTime) -> SessionVerdict {
        guard case .response = phase else { return .none }
        clock.heard(at: now)
        return ask(.response, .readResponse(0..<line.count, login.exchange))
    }

    /// What a response held.
    mutating func response(_ response: SASLResponse, at now: MonotonicTime) -> SessionVerdict {
        guard case .asking(.response) = phase else { return .none }
        phase = .commands(LineReader())
        switch response {
        case .cancelled: return refuse(.authCancelled)
        case .badBase64: return refuse(.badBase64)
        case .badFormat: return refuse(.badAuthFormat)
        case .username:
            login.expectPassword()
            phase = .response(LineReader())
            return .reply(.passwordPrompt)
        case .wrongUsername(let fingerprint): return refuseLogin(.username, fingerprint)
        case .unusableKey(let fingerprint): return refuseLogin(.key, fingerprint)
        case .key(let fingerprint):
            login.check(fingerprint)
            phase = .keyCheck
            clock.wait(since: now)
            return .checkKey
        }
    }

    /// What the API says about the key.
    mutating func keyChecked(_ verdict: KeyVerdict, at now: MonotonicTime) -> SessionVerdict {
        guard case .keyCheck = phase else { return .none }
        enterCommands(at: now)
        login.settle(verdict)
        switch verdict {
        case .valid:
            idleCommands = 0
            return .logIn
        case .refused: return refuseLogin(.key, login.fingerprint)
        case .unavailable: return .reply(.authUnavailable)
        }
    }

    /// The key holds its share of the sessions already.
    mutating func loginHasNoRoom() -> SessionVerdict {
        guard case .commands = phase else { return .none }
        login.logOut()
        return close(.tooManyConnections)
    }

    /// The address of the client has failed too often in other sessions: only keys that are known to
    /// be good are accepted.
    mutating func loginTurnedAway() -> SessionVerdict {
        guard case .keyCheck = phase else { return .none }
        return close(.tooManyFailedLogins)
    }

    private mutating func refuseLogin(
        _ fault: LoginFault, _ fingerprint: UInt64
    ) -> SessionVerdict {
        let isCounted = login.refuse(fault, fingerprint)
        return ask(.refusal, .noteRefusal(fault, isCounted: isCounted))
    }

    /// The refused login is counted for the address of the client.
    /// - Parameter mayTryAgain: the address has not failed too often, here and elsewhere.
    mutating func refusalNoted(mayTryAgain: Bool, at now: MonotonicTime) -> SessionVerdict {
        guard case .asking(.refusal) = phase else { return .none }
        guard mayTryAgain else { return close(.tooManyFailedLogins) }
        phase = .loginDelay
        clock.wait(since: now)
        return login.delayMilliseconds(limits) > 0 ? .none : answerRefusedLogin(at: now)
    }

    private mutating func answerRefusedLogin(at now: MonotonicTime) -> SessionVerdict {
        guard let refusal = login.refusal(limits) else { return close(.tooManyFailedLogins) }
        enterCommands(at: now)
        return .reply(refusal)
    }

    // MARK: DATA

    /// DATA may not be followed by anything before its answer (RFC 2920 3.1). A client that does it
    /// anyway sends content; when DATA is refused, that content must never be read as commands.
    private mutating func data(
        hasBytesAfter: Bool, at now: MonotonicTime
    ) -> SessionVerdict {
        guard transaction.mayHaveData else {
            return hasBytesAfter ? close(.badSequence) : refuse(.badSequence)
        }
        let announced = transaction.announcedBytes ?? options.bufferThresholdBytes
        return reserve(announced, hasBytesAfterCommand: hasBytesAfter, at: now)
    }

    private mutating func reserve(
        _ bytes: Int, hasBytesAfterCommand: Bool, at now: MonotonicTime
    ) -> SessionVerdict {
        phase = .budget
        clock.wait(since: now)
        data = DataState(
            reservedBytes: min(bytes, options.bufferThresholdBytes),
            hasBytesAfterCommand: hasBytesAfterCommand)
        return .reserve(bytes: data.reservedBytes)
    }

    /// A chunk of a message (RFC 3030 2). Its payload is never read as commands, whatever it is
    /// answered.
    private mutating func bdat(_ bdat: BdatCommand, at now: MonotonicTime) -> SessionVerdict {
        guard limits.hasChunking else { return close(.badSequence) }
        guard transaction.recipientCount > 0 else { return stray(bdat, at: now) }
        guard transaction.isChunked else {
            transaction.beginChunks()
            chunks = ChunkState()
            chunks.begin(bdat)
            let announced = transaction.announcedBytes ?? options.bufferThresholdBytes
            let bytes = bdat.isLast ? bdat.size : max(bdat.size, announced)
            return reserve(bytes, hasBytesAfterCommand: false, at: now)
        }
        chunks.begin(bdat)
        phase = .data(.chunk(chunks.reader))
        return bdat.size == 0 && !bdat.isLast ? doNothing(.none) : .none
    }

    /// A chunk that belongs to no message: a client that sends MAIL, RCPT and BDAT together learns
    /// only later that MAIL or RCPT was refused.
    private mutating func stray(
        _ bdat: BdatCommand, at now: MonotonicTime
    ) -> SessionVerdict {
        guard login.hasSucceeded, bdat.size <= ChunkState.strayBytesMax else {
            return close(.badSequence)
        }
        data = DataState()
        data.throwAway(.outOfOrder)
        chunks = ChunkState()
        chunks.begin(bdat)
        phase = .data(.chunk(chunks.reader))
        return .none
    }

    /// The memory that `reserve` asked for is there.
    mutating func budgetGranted(at now: MonotonicTime) -> SessionVerdict {
        switch phase {
        case .budget:
            beginContent(at: now)
            return transaction.isChunked ? .beginChunks : .beginData
        case .data:
            release(.budget, at: now)
            return .none
        default: return .none
        }
    }

    private mutating func beginContent(at now: MonotonicTime) {
        phase = .data(transaction.isChunked ? .chunk(chunks.reader) : .dots(DotReader()))
        clock.heard(at: now)
        data.begin(at: now)
    }

    /// The memory for what came beyond the announcement will never be there: every message that
    /// holds some waits for more, like this one. What is left of it is read and thrown away.
    mutating func budgetRefused(at now: MonotonicTime) -> SessionVerdict {
        guard case .data = phase, data.holds.contains(.budget) else { return .none }
        data.throwAway(.noMemory)
        release(.budget, at: now)
        return .giveUp(nil)
    }

    /// `byteCount` bytes of content have come.
    mutating func contentArrived(_ byteCount: Int, at now: MonotonicTime) -> ContentVerdict {
        guard case .data = phase else { return .discard }
        clock.heard(at: now)
        return data.take(byteCount, at: now, limits: limits)
    }

    /// The content trickles.
    mutating func contentIsTooSlow() -> SessionVerdict { close(.tooSlow) }

    /// After content was fed: how many bytes of memory are to be reserved before the client is read
    /// on, as with the verdict `reserve`; nil when what it announced suffices.
    mutating func checkMemory(at now: MonotonicTime) -> Int? {
        guard case .data = phase,
            let missing = data.reserveMore(upTo: options.bufferThresholdBytes)
        else { return nil }
        hold(.budget, at: now)
        return missing
    }

    /// The submission takes no more before `submissionContinues`.
    mutating func submissionPaused(at now: MonotonicTime) {
        guard case .data = phase else { return }
        hold(.submission, at: now)
    }

    mutating func submissionContinues(at now: MonotonicTime) {
        guard case .data = phase else { return }
        release(.submission, at: now)
    }

    /// The submission knows its outcome before the end of the message.
    mutating func submissionDecided() {
        guard case .data = phase else { return }
        data.throwAway(.decided)
    }

    private mutating func hold(_ reason: DataState.Holds, at now: MonotonicTime) {
        if !data.isHeld { clock.wait(since: now) }
        data.hold(reason)
    }

    /// The client is read again when no other reason holds it: the time in between was not its own.
    private mutating func release(_ reasons: DataState.Holds, at now: MonotonicTime) {
        guard !data.holds.isDisjoint(with: reasons) else { return }
        data.release(reasons)
        if !data.isHeld { clock.heard(at: now) }
    }

    /// CRLF.CRLF has come, or the end of a chunk.
    /// - Parameter arrivedAt: when it was read from the kernel; the client waits for its reply from
    ///   then on. That is in the past when it waited in memory until the API took what came before.
    mutating func dataEnded(
        at now: MonotonicTime, arrivedAt: MonotonicTime? = nil
    ) -> SessionVerdict {
        guard case .data(let reader) = phase else { return .none }
        if case .chunk(let chunk) = reader, let verdict = chunkEnded(chunk, at: now) {
            return verdict
        }
        switch data.discard {
        case nil, .decided:
            phase = .outcome
            clock.wait(since: arrivedAt ?? now)
            return .finishMessage(by: clock.answerDue)
        case .tooLarge:
            return ended(.reply(.messageTooLarge(bytesMax: limits.messageBytesMax)), at: now)
        case .apiStalled: return ended(.reply(.apiUnavailable), at: now)
        case .noMemory: return ended(.reply(.insufficientMemory), at: now)
        case .told: return ended(.repeatRefusal, at: now)
        case .outOfOrder:
            enterCommands(at: now)
            return refuse(.badSequence)
        }
    }

    /// nil when it is the end of the message, or of what becomes of it.
    private mutating func chunkEnded(
        _ chunk: ChunkReader, at now: MonotonicTime
    ) -> SessionVerdict? {
        chunks.end(chunk)
        guard data.discard == nil, !chunks.isLast else { return nil }
        enterCommands(at: now)
        return .reply(.ok)
    }

    /// The message has its outcome, and so its reply.
    /// - Parameter isKeyRefused: the API no longer knows the key: the session is logged out.
    mutating func outcome(
        _ reply: Reply, isKeyRefused: Bool, at now: MonotonicTime
    ) -> SessionVerdict {
        guard case .outcome = phase else { return .none }
        if isKeyRefused { login.logOut() }
        return ended(.reply(reply), at: now)
    }

    /// The message has its reply; in the middle of its chunks that is a refusal.
    private mutating func ended(_ verdict: consuming SessionVerdict, at now: MonotonicTime)
        -> SessionVerdict
    {
        enterCommands(at: now)
        if expectsChunks {
            data.outcomeTold()
            return verdict
        }
        transaction = Transaction()
        idleCommands = 0
        return verdict
    }

    // MARK: Clocks

    /// When `timedOut` is due at the latest, as of now; it can move later without notice.
    var deadline: MonotonicTime {
        switch phase {
        case .handshake: clock.handshakeEnd
        // The client may have sent all of its message, and waits for the reply to it.
        case .budget where transaction.isChunked: min(clock.waitEnd, clock.answerDue)
        case .budget: clock.waitEnd
        case .commands where transaction.isChunked: dataDeadline
        case .commands, .response: min(clock.idleEnd, clock.sessionEnd)
        case .keyCheck, .outcome: clock.answerEnd
        case .loginDelay: clock.waitEnd(afterMilliseconds: login.delayMilliseconds(limits))
        case .data: dataDeadline
        case .lastWord: clock.lastWordEnd
        case .asking, .closed: .never
        }
    }

    private var dataDeadline: MonotonicTime {
        if data.holds.contains(.budget) { return clock.waitEnd }
        if data.holds.contains(.submission) { return clock.answerEnd }
        // A message that is under way when the session's time is up may come to its end, if that is
        // near; one that nobody will take may not.
        let end = data.discard == nil ? clock.lastMessageEnd : clock.sessionEnd
        return min(clock.idleEnd, end)
    }

    /// The deadline may have passed.
    mutating func timedOut(at now: MonotonicTime) -> SessionVerdict {
        guard now >= deadline else { return .none }
        switch phase {
        case .handshake:
            phase = .closed
            return .hangUp
        case .commands where transaction.isChunked: return dataTimedOut(at: now)
        case .commands, .response:
            return close(now >= clock.sessionEnd ? .sessionTimeout : .idleTimeout)
        case .loginDelay: return answerRefusedLogin(at: now)
        case .keyCheck:
            login.missAnswer()
            return giveUp(.authUnavailable, at: now)
        // The chunk comes all the same, and is answered at its end.
        case .budget where transaction.isChunked:
            beginContent(at: now)
            data.throwAway(.noMemory)
            return .giveUp(nil)
        case .budget:
            return data.hasBytesAfterCommand
                ? close(.insufficientMemory) : giveUp(.insufficientMemory, at: now)
        case .outcome: return giveUp(.apiUnavailable, at: now)
        case .data: return dataTimedOut(at: now)
        case .lastWord: return close(.shuttingDown)
        case .asking, .closed: return .none
        }
    }

    private mutating func dataTimedOut(at now: MonotonicTime) -> SessionVerdict {
        if data.isHeld {
            data.throwAway(data.holds.contains(.budget) ? .noMemory : .apiStalled)
            release([.budget, .submission], at: now)
            return .giveUp(nil)
        }
        guard now >= clock.idleEnd else { return close(.sessionTimeout) }
        guard endsInBareDot else { return close(.idleTimeout) }
        phase = .closed
        return .closeUnended
    }

    private mutating func giveUp(_ reply: Reply, at now: MonotonicTime) -> SessionVerdict {
        transaction = Transaction()
        enterCommands(at: now)
        return .giveUp(reply)
    }
}
