// One connection of a simulated client, from the greeting to QUIT or to any other end.
//
// It is strict: an unexpected reply, or a missing one, goes into the ledger as a complaint.

import Glibc
import Reactor

/// One SMTP dialogue.
final class MailConnection: StreamHandler {
    /// What a reply is expected for.
    private enum Step: Equatable {
        case greeting, hello, startTLS, user, password, login, mail, recipient, data, dot, noop,
            quit
    }

    private let client: MailClient
    private let number: Int
    private var stream: Stream?
    private var link: Link?
    private var awaited: [Step] = []
    private var buffer: [UInt8] = []
    private var isTLS: Bool
    private var hasProgress = false
    /// The attempt under way, as an index of the ledger.
    private var attempt: Int?
    /// The attempt whose 250 the next command acknowledges.
    private var accepted: Int?
    private var content = OutgoingContent()
    /// Chunks before the last one whose replies have not come.
    private var chunksAwaited = 0
    /// What a chunk before the last one was refused with.
    private var chunkRefusal: Int?
    /// Recipients of the try under way, as indices.
    private var envelope: [Int] = []
    /// The login that waits for its reply, as an index of the ledger.
    private var login: Int?
    private var isLeaving = false
    private var isStalling = false
    private var hasRefusedRecipient = false
    private var awaitedSince = MonotonicTime(nanoseconds: 0)
    /// Since when the client is silent and no reply is owed to it.
    private var restingSince: MonotonicTime?

    init(client: MailClient) {
        self.client = client
        number = client.simulation.newConnectionNumber()
        isTLS = client.habits.isImplicitTLS
        super.init()
    }

    private var simulation: Simulation { client.simulation }
    private var world: World { client.simulation.world }
    private var network: End? { stream.flatMap { client.host.end(of: $0) } }

    func open() {
        let tls = isTLS ? simulation.clientTLS : nil
        awaited = [.greeting]
        stream = Stream.connect(
            loop: client.loop, to: isTLS ? simulation.implicitAddress : simulation.startAddress,
            tls: tls, serverName: "relay.simulation", handler: self)
        link = network?.link
        let (simulation, number) = (simulation, number)
        weak let end = link?.ends[1]
        link?.ends[1].whenEndRead = {
            simulation.relayClosed(connection: number, bytesSent: end?.bytesSent ?? 0)
        }
        link?.ends[1].whenClosed = {
            simulation.relayClosed(connection: number, bytesSent: end?.bytesSent ?? 0)
        }
        wait()
    }

    private func complain(_ text: String) {
        simulation.ledger.complaints.append("connection \(number): \(text)")
    }

    // MARK: Events

    override func streamOpened(_ stream: Stream) {
        guard isTLS, awaited.isEmpty else { return }
        say("EHLO client.example", .hello)
    }

    override func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {
        bytes.withUnsafeBufferPointer { buffer.append(contentsOf: $0) }
        while let end = buffer.firstIndex(of: 10) {
            let line = String(decoding: buffer[..<end], as: UTF8.self)
            buffer.removeFirst(end + 1)
            guard !isLeaving else { return }
            let bytes = Array(line.utf8)
            if bytes.count > 3, bytes[3] == UInt8(ascii: "-") { continue }
            reply(Int(line.prefix(3)) ?? 0, line.dropFirst(4).filter { $0 != "\r" })
        }
    }

    override func streamTimedOut(_ stream: Stream) {
        if isLeaving || isStalling { return stream.abort() }
        if restingSince != nil { return goOn() }
        if !content.isSent, awaited.isEmpty { return sendContent() }
        if let link, link.isSound, !awaited.isEmpty, awaited[0] != .dot,
            awaitedSince.advanced(byMilliseconds: 110_000) <= stream.loop.now,
            awaited[0] != .greeting || world.weather.acceptsAtOnce
        {
            complain("no reply to \(awaited[0]) in 110 s")
        }
        excuse()
        leave(stream)
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        if let attempt {
            simulation.ledger.attempts[attempt].lostAt = world.now
            if !(link?.isSound ?? false) { excuse() }
            self.attempt = nil
            _ = client.tried(code: nil)
            hasProgress = true
        }
        // The relay has ended it in order (a drain), and so does the client.
        if case .peer = reason, let accepted {
            simulation.ledger.attempts[accepted].endsInOrder = true
        }
        world.trace.say(world, "client \(number): closed, \(reason)")
        self.stream = nil
        client.ended(hadProgress: hasProgress)
    }

    /// From here on the client itself is the cause of what happens.
    private func excuse() {
        if let attempt { simulation.ledger.attempts[attempt].isExcused = true }
    }

    private func leave(_ stream: Stream) {
        isLeaving = true
        if client.dice.happens(0.5) || network?.isShutDown ?? false {
            stream.abort()
        } else {
            if let last = accepted ?? attempt {
                simulation.ledger.attempts[last].endsInOrder = true
            }
            stream.finish()
        }
    }

    /// The longest that a client waits for anything.
    private func wait() {
        guard let stream else { return }
        awaitedSince = stream.loop.now
        let limit = awaited.first == .dot ? client.habits.patienceMilliseconds : 120_000
        stream.deadline = stream.loop.now.advanced(byMilliseconds: limit)
    }

    // MARK: Sending

    private func say(_ line: String, _ step: Step) {
        awaited.append(step)
        write(Array((line + "\r\n").utf8))
        if let accepted, let stream {
            self.accepted = nil
            let sentEnd = Int(stream.sealedEnd())
            if let end = network {
                let simulation = simulation
                end.peer.watch(sentEnd) {
                    simulation.ledger.attempts[accepted].acknowledgedAt = simulation.world.now
                }
            }
        }
        wait()
    }

    private func write(_ bytes: [UInt8]) { stream?.write(bytes.span) }

    private func beginMessage() {
        guard let message = client.current else { return quit() }
        hasRefusedRecipient = false
        envelope = client.envelope(of: message)
        let bytes = usesChunks ? message.content.count : message.wire.count
        let size = message.announcesSize ? " SIZE=\(bytes)" : ""
        let first = "MAIL FROM:<sender@simulation.example>\(size)"
        if client.habits.isPipelining {
            say(first, .mail)
            sayRecipients(message)
            if !usesChunks { say("DATA", .data) }
        } else {
            say(first, .mail)
        }
    }

    private var usesChunks: Bool { client.habits.chunkBytesMax > 0 }

    private func sayRecipients(_ message: MailMessage) {
        for index in envelope { say("RCPT TO:<\(message.recipients[index])>", .recipient) }
    }

    private func quit() {
        if client.habits.isRude, let stream { return leave(stream) }
        say("QUIT", .quit)
    }

    // MARK: Receiving

    private func reply(_ code: Int, _ text: String) {
        world.trace.say(world, "client \(number): \(code) \(text)")
        if chunksAwaited > 0, code != 421 { return chunkAnswered(code, text) }
        guard let step = awaited.first else {
            restingSince = nil
            if code != 421 { complain("\(code) \(text) for nothing") }
            return
        }
        if code == 421 { return shutOut(step) }
        awaited.removeFirst()
        hasProgress = hasProgress || step == .login
        if step == .login { loginAnswered(code) }
        switch (step, code) {
        case (.greeting, 220): say("EHLO client.example", .hello)
        case (.hello, 250): isTLS ? logIn() : say("STARTTLS", .startTLS)
        case (.startTLS, 220):
            isTLS = true
            stream?.startTLS(simulation.clientTLS, serverName: "relay.simulation")
        case (.user, 334):
            askLogin()
            say(Base64Text.encoded(client.habits.key), .login)
        case (.login, 235), (.noop, 250): beginMessage()
        case (.mail, _), (.recipient, _), (.data, _): transaction(step, code)
        case (.dot, _): dotAnswered(code, text)
        case (.quit, _): stream?.finish()
        default: refused(step, code, text)
        }
    }

    private func askLogin() {
        simulation.ledger.logins.append(
            Login(account: client.habits.account, askedAt: world.now))
        login = simulation.ledger.logins.count - 1
    }

    private func loginAnswered(_ code: Int) {
        guard let login else { return }
        simulation.ledger.logins[login].answeredAt = world.now
        simulation.ledger.logins[login].code = code
        self.login = nil
    }

    private func logIn() {
        if client.habits.usesLogin {
            say("AUTH LOGIN \(Base64Text.encoded("postscale"))", .user)
        } else {
            askLogin()
            say("AUTH PLAIN \(Base64Text.encoded("\0postscale\0" + client.habits.key))", .login)
        }
    }

    private func refused(_ step: Step, _ code: Int, _ text: String) {
        let isExpected = [(.login, 535), (.login, 451)].contains { $0 == step && $1 == code }
        if !isExpected { complain("\(code) \(text) to \(step)") }
        hasProgress = true
        _ = client.tried(code: code)
        quit()
    }

    /// 421: the relay closes, whatever the client asked.
    private func shutOut(_ step: Step) {
        if step == .dot, let attempt {
            simulation.ledger.attempts[attempt].code = 421
            simulation.ledger.attempts[attempt].replySeenAt = world.now
            simulation.ledger.attempts[attempt].replySentAt =
                network.flatMap { $0.peer.departure(of: $0.bytesRead) } ?? world.now
        }
        awaited = []
    }

    private func transaction(_ step: Step, _ code: Int) {
        guard let message = client.current else { return }
        let isRefused = code >= 400
        if isRefused { hasRefusedRecipient = true }
        switch step {
        case .mail where !client.habits.isPipelining && !isRefused:
            sayRecipients(message)
        case .recipient where usesChunks && !isRefused:
            if awaited.isEmpty { beginContent(message) }
        case .recipient where !client.habits.isPipelining && !isRefused:
            if awaited.isEmpty { say("DATA", .data) }
        case .data where code == 354: beginContent(message)
        default: break
        }
        guard isRefused, awaited.isEmpty else { return }
        hasProgress = true
        if client.tried(code: code) { say("RSET", .noop) } else { quit() }
    }

    // MARK: The message

    private func beginContent(_ message: MailMessage) {
        let entry = Attempt(
            message: message.number, account: client.habits.account, copy: client.currentCopy,
            connection: number, begunAt: world.now, envelope: Set(envelope))
        simulation.ledger.attempts.append(entry)
        attempt = simulation.ledger.attempts.count - 1
        world.trace.say(
            world,
            "client \(number): message \(message.number), \(message.wire.count) bytes, "
                + "copy \(client.currentCopy), Message-ID \(message.hasMessageID)")
        var bytes = message.wire
        chunksAwaited = 0
        chunkRefusal = nil
        if usesChunks {
            (bytes, chunksAwaited) = OutgoingContent.chunks(
                of: message.content, bytesMax: client.habits.chunkBytesMax, &client.dice)
        }
        content = OutgoingContent(
            bytes, chanceToLeave: world.weather.clientLeaves, &client.dice)
        sendContent()
        if usesChunks { watchFirstChunk() }
    }

    private func watchFirstChunk() {
        guard let stream, let attempt, let end = network else { return }
        let simulation = simulation
        end.peer.watch(Int(stream.sealedEnd())) {
            simulation.ledger.attempts[attempt].chunkHeardAt = simulation.world.now
        }
    }

    /// The reply to a chunk before the last one. A refusal comes again with each chunk after it.
    private func chunkAnswered(_ code: Int, _ text: String) {
        chunksAwaited -= 1
        if let refusal = chunkRefusal, refusal != code {
            complain("\(code) \(text) to a chunk after \(refusal)")
        }
        if code >= 400 {
            chunkRefusal = code
        } else if code != 250 {
            complain("\(code) \(text) to a chunk")
        }
    }

    private func sendContent() {
        guard let stream else { return }
        let pauses = client.habits.pauseMillisecondsMax
        write(Array(content.next(isInPieces: pauses > 0 || client.habits.stalls)))
        if client.habits.stalls {
            excuse()
            if content.isMostlySent { return stall(stream) }
        }
        // By BDAT nothing follows the content: who leaves at its very end has handed it in.
        if content.isLeft, !(usesChunks && content.isSent) {
            excuse()
            return leave(stream)
        }
        if !content.isSent {
            stream.deadline = stream.loop.now.advanced(
                byMilliseconds: client.dice.number(0...pauses))
            return
        }
        sendDot(stream)
    }

    /// Says no more, and waits for the relay to end it.
    private func stall(_ stream: Stream) {
        isStalling = true
        stream.deadline = stream.loop.now.advanced(byMilliseconds: 200_000)
    }

    private func sendDot(_ stream: Stream) {
        awaited.append(.dot)
        if !usesChunks { write([46, 13, 10]) }
        let sentEnd = Int(stream.sealedEnd())
        guard let attempt else { return }
        simulation.ledger.attempts[attempt].dotSentAt = world.now
        if let end = network {
            let simulation = simulation
            weak let relay = end.peer
            end.peer.watch(sentEnd) {
                simulation.ledger.attempts[attempt].dotHeardAt = simulation.world.now
                simulation.ledger.attempts[attempt].relayBytesAtDot = relay?.bytesSent ?? 0
            }
        }
        wait()
        guard let patience = content.leavesBehindDot else {
            if client.habits.halfCloses, stream.queuedBytes == 0 { network?.shutDown() }
            return
        }
        excuse()
        stream.deadline = stream.loop.now.advanced(byMilliseconds: patience)
    }

    private func dotAnswered(_ code: Int, _ text: String) {
        guard let attempt else { return complain("a reply to no dot") }
        if let refusal = chunkRefusal, refusal != code {
            complain("\(code) \(text) to the last chunk, after \(refusal)")
        }
        self.attempt = nil
        hasProgress = true
        simulation.ledger.attempts[attempt].code = code
        simulation.ledger.attempts[attempt].replySeenAt = world.now
        if let end = network {
            simulation.ledger.attempts[attempt].replySentAt = end.peer.departure(of: end.bytesRead)
        }
        simulation.count(reply: code, text)
        if code == 250 {
            accepted = attempt
            let parts = text.split(separator: " ")
            simulation.ledger.attempts[attempt].messageID = parts.last.map(String.init) ?? ""
        }
        client.goesOn = client.tried(code: code)
        if let stream, network?.isShutDown ?? true {
            isLeaving = true
            return stream.abort()
        }
        rest()
    }

    /// The next step; the client's habits may ask for a pause first.
    private func rest() {
        guard let stream, client.habits.restMillisecondsMax > 0 else { return goOn() }
        restingSince = world.now
        stream.deadline = stream.loop.now.advanced(
            byMilliseconds: client.dice.number(1...client.habits.restMillisecondsMax))
    }

    private func goOn() {
        restingSince = nil
        if client.goesOn { beginMessage() } else { quit() }
    }

    /// The relay has been told to end: it must tell idle clients.
    func relayDrains() {
        guard let since = restingSince, link?.isSound ?? false else { return }
        world.after(microseconds: 10_000_000) { [self] in
            guard restingSince == since, stream != nil, link?.isSound ?? false else { return }
            complain("idle, and without a 421 ten seconds after the relay was told to end")
        }
    }
}
