// What a session answers to what, and when (RFC 5321, RFC 3207, RFC 4954; the reply table of the
// product). This file holds the state and the commands; `+Login`, `+Data` and `+Clock` the rest.
//
// A value: it gets one event and the time, and returns one verdict. It knows no socket, key or
// text of a peer; a line is lent to it for the length of a call.

import Reactor
import Wire

/// The rules of one SMTP session.
struct SessionMachine {
    /// What the session is doing. Input is read in `commands`, `response`, `data` and `lastWord`
    /// only.
    enum Phase: UInt8 {
        /// TLS is being set up: at once (implicit) or after STARTTLS.
        case handshake
        case commands
        /// The next line is an answer of an AUTH exchange.
        case response
        case keyCheck
        /// A refused login is answered a little later.
        case loginDelay
        /// DATA waits for its share of the memory.
        case budget
        case data
        /// The message is in; the API's answer is awaited.
        case outcome
        /// The process ends, and the client is just about to say something: it hears 421 in reply,
        /// and QUIT is still answered.
        case lastWord
        case closed
    }

    /// Settings that the machine needs besides the limits.
    struct Options {
        var limits = SessionLimits()
        /// The most that a message holds in memory, so the most that DATA reserves.
        var bufferThresholdBytes = MessageOptions().bufferThresholdBytes
        /// When the driver's own waits (key check, outcome) should long have been answered.
        var answerTimeoutMilliseconds = 55_000
    }

    let options: Options
    var limits: SessionLimits { options.limits }

    var phase: Phase
    private(set) var isTLS: Bool
    private var isGreeted = false
    var isAuthenticated = false
    var isDraining = false

    // The transaction.
    private(set) var hasSender = false
    private(set) var recipientCount = 0
    private var isSMTPUTF8 = false
    var announcedBytes: Int?

    // Wrong commands and refused logins.
    private(set) var errors = 0
    var failedLogins = 0
    var exchange = SASLExchange.plain
    var fingerprint: UInt64 = 0
    /// The last login could not be checked.
    var isLoginUnchecked = false
    /// The last refused login that may still be repeated with the other mechanism.
    var lastFailure: (fingerprint: UInt64, isPlain: Bool)?
    var delayedReply = DelayedReply.authFailed

    // DATA.
    var content = ContentState()

    // Clocks.
    let openedAt: MonotonicTime
    /// When the client was last heard in full: a command or a chunk of DATA.
    var heardAt: MonotonicTime
    /// When the wait of this phase began.
    var waitingSince: MonotonicTime

    /// - Parameter isImplicitTLS: a handshake comes before everything else.
    init(options: Options, isImplicitTLS: Bool, at now: MonotonicTime) {
        self.options = options
        phase = .handshake
        isTLS = isImplicitTLS
        openedAt = now
        heardAt = now
        waitingSince = now
    }

    /// Whether a command, a response or a piece of DATA can be taken now.
    var acceptsInput: Bool {
        switch phase {
        case .commands, .response: !isDraining
        case .lastWord: true
        case .data: !content.isHeld
        case .handshake, .keyCheck, .loginDelay, .budget, .outcome, .closed: false
        }
    }

    /// The longest line to take, its line end included.
    var lineBytesMax: Int {
        isTLS && !isAuthenticated ? limits.authLineBytesMax : limits.commandLineBytesMax
    }

    // MARK: Beginning and end

    /// The connection is ready for bytes: at first, and again when the handshake after STARTTLS is
    /// done. Nothing from before that survives (RFC 3207 4.2), the count of errors excepted.
    mutating func opened(at now: MonotonicTime) -> SessionVerdict {
        guard phase == .handshake else { return .none }
        enterCommands(at: now)
        if !isGreeted {
            isGreeted = true
            return .greet
        }
        isTLS = true
        isAuthenticated = false
        isLoginUnchecked = false
        resetTransaction()
        return .none
    }

    /// The process is to end: at once when nothing is in flight, else after the answer. To be called
    /// again behind each event.
    ///
    /// Who was answered less than a second ago is probably about to go on, or to say QUIT. A 421 that
    /// crosses it on the way would be taken for the reply to that, and a client whose QUIT seems to
    /// fail may tell its user that the message did (Python's smtplib raises).
    mutating func drain(at now: MonotonicTime) -> SessionVerdict {
        isDraining = true
        switch phase {
        case .handshake:
            phase = .closed
            return .hangUp
        case .commands, .response:
            guard now < lastWordEnd else { return close(.shuttingDown) }
            phase = .lastWord
            return .none
        case .budget: return close(.shuttingDown)
        case .keyCheck, .loginDelay, .data, .outcome, .lastWord, .closed: return .none
        }
    }

    /// The connection has ended.
    mutating func gone() { phase = .closed }

    mutating func close(_ reply: Reply) -> SessionVerdict {
        phase = .closed
        return .close(reply)
    }

    /// Answers a wrong command; the last one that is allowed closes the session.
    mutating func refuse(_ reply: Reply) -> SessionVerdict {
        errors += 1
        return errors >= limits.errorsMax ? close(.tooManyErrors) : .reply(reply)
    }

    /// The client's clock starts anew.
    mutating func enterCommands(at now: MonotonicTime) {
        phase = .commands
        heardAt = now
    }

    mutating func resetTransaction() {
        hasSender = false
        recipientCount = 0
        isSMTPUTF8 = false
        announcedBytes = nil
    }

    // MARK: Commands

    /// One command line.
    /// - Parameters:
    ///   - line: what the ranges of `command` are into; read during this call only.
    ///   - hasBytesBehind: more has arrived behind this line already.
    ///   - throttle: the reply to MAIL while the key is throttled; to STARTTLS when the address has
    ///     had its share of handshakes.
    mutating func command(
        _ command: Command, in line: Bytes, hasBytesBehind: Bool, throttle: Reply?,
        at now: MonotonicTime
    ) -> SessionVerdict {
        heardAt = now
        if phase == .lastWord {
            guard case .quit = command else { return close(.shuttingDown) }
        }
        // Before a login lines may be longer, for the sake of AUTH alone.
        if line.count > limits.commandLineBytesMax - 2, !command.mayBeLong {
            return refuse(.lineTooLong)
        }
        switch command {
        case .mail(let mail): return self.mail(mail, line, throttle)
        case .rcpt(let rcpt): return self.rcpt(rcpt, line)
        case .data: return data(hasBytesBehind: hasBytesBehind, at: now)
        case .rset:
            resetTransaction()
            return .reply(.ok)
        case .ehlo, .helo: return hello(command)
        case .startTLS: return startTLS(hasBytesBehind: hasBytesBehind, throttle, at: now)
        case .auth(let mechanism, let initial): return auth(line, mechanism, initial)
        case .noop: return .reply(.ok)
        case .vrfy: return .reply(.cannotVerify)
        case .help: return .reply(.help)
        case .expn: return refuse(.notImplemented)
        case .quit:
            phase = .closed
            return .quit
        // What follows is the payload, which must never be read as commands (RFC 3030 2).
        case .bdat: return close(.badSequence)
        // A browser was led here: its body may hold commands of an attacker.
        case .httpVerb: return close(.notHTTP)
        case .malformed(let fault): return refuse(fault.reply)
        }
    }

    /// A line over the limit has ended.
    mutating func lineTooLong(at now: MonotonicTime) -> SessionVerdict {
        heardAt = now
        if phase == .lastWord { return close(.shuttingDown) }
        guard phase == .response else { return refuse(.lineTooLong) }
        phase = .commands
        return refuse(.authLineTooLong)
    }

    /// EHLO and HELO end a transaction (RFC 5321 4.1.4), not a login.
    private mutating func hello(_ command: Command) -> SessionVerdict {
        resetTransaction()
        if case .ehlo = command { return .hello(isExtended: true) }
        return .hello(isExtended: false)
    }

    private mutating func startTLS(
        hasBytesBehind: Bool, _ throttle: Reply?, at now: MonotonicTime
    ) -> SessionVerdict {
        if isTLS { return refuse(.tlsAlreadyActive) }
        // Someone else may have put them there (CVE-2011-0411).
        if hasBytesBehind { return close(.bytesBehindSTARTTLS) }
        if let throttle { return close(throttle) }
        phase = .handshake
        waitingSince = now
        return .startTLS
    }

    private mutating func mail(
        _ mail: MailCommand, _ line: Bytes, _ throttle: Reply?
    ) -> SessionVerdict {
        guard isAuthenticated else {
            // Some clients go on although their AUTH was put off. For a permanent reply here they
            // would return the message (dma does), which only has to be sent again.
            return isLoginUnchecked ? .reply(.authUnavailable) : refuse(.authRequired)
        }
        guard !hasSender else { return refuse(.badSequence) }
        guard mail.isSMTPUTF8 || line.extracting(mail.path).isASCII else {
            return refuse(.utf8Required)
        }
        if let size = mail.size, size > limits.messageBytesMax {
            return .reply(.messageTooLarge(bytesMax: limits.messageBytesMax))
        }
        if let throttle { return .reply(throttle) }
        hasSender = true
        isSMTPUTF8 = mail.isSMTPUTF8
        announcedBytes = mail.size
        return .beginMail(mail)
    }

    private mutating func rcpt(_ rcpt: RcptCommand, _ line: Bytes) -> SessionVerdict {
        guard hasSender else { return refuse(.badSequence) }
        guard recipientCount < limits.recipientsMax else { return .reply(.tooManyRecipients) }
        guard isSMTPUTF8 || line.extracting(rcpt.path).isASCII else {
            return refuse(.utf8Required)
        }
        return .addRecipient(rcpt.path)
    }

    /// A recipient is in the envelope; `isNew` is false when it was there before.
    mutating func recipientAdded(isNew: Bool) { if isNew { recipientCount += 1 } }
}

extension Command {
    /// AUTH carries its response; what closes the session does so at any length.
    fileprivate var mayBeLong: Bool {
        switch self {
        case .auth, .bdat, .httpVerb: true
        default: false
        }
    }
}
