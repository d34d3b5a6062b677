// One SMTP connection of the load: logs in, sends its share of messages, leaves.
//
// It is the usual client: EHLO, STARTTLS, EHLO, AUTH PLAIN, then MAIL, RCPT, DATA, message. Any
// reply that is not the expected one ends the connection and is counted by its code.

import Reactor

/// Drives one connection for a `LoadRun`.
final class LoadClient: StreamHandler {
    private enum Step {
        case greeting, ehlo, startTLS, securedEHLO, login, mail, recipients, data, content, quit
        /// Logged in and silent (idle runs).
        case resting
    }

    private let run: LoadRun
    private let plan: LoadPlan
    private var stream: Stream?
    private var step = Step.greeting
    private var replies = ReplyReader()
    private var messagesSent = 0
    private var recipientsAnswered = 0
    private var sentBytes = 0
    private var connectTime: MonotonicTime
    private var loginTime = MonotonicTime.never
    private var messageTime = MonotonicTime.never

    init(run: LoadRun) {
        self.run = run
        plan = run.plan
        connectTime = run.loop.now
        super.init()
    }

    func start() {
        stream = Stream.connect(
            loop: run.loop, to: plan.server, tls: plan.security == .tls ? run.tls : nil,
            serverName: plan.serverName, handler: self)
        stream?.deadline = run.loop.now.advanced(byMilliseconds: 120_000)
    }

    func end() { stream?.abort() }

    override func streamOpened(_ stream: Stream) {
        if step == .startTLS {
            run.handshakes.record(run.loop.now, since: connectTime)
            send("EHLO perf.example\r\n", then: .securedEHLO)
        } else if plan.security == .tls {
            run.handshakes.record(run.loop.now, since: connectTime)
        }
    }

    override func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {
        for index in bytes.indices {
            if let code = replies.take(bytes[index]) { answer(code) }
        }
    }

    override func streamDrained(_ stream: Stream) {
        if step == .content { sendContent() }
    }

    override func streamTimedOut(_ stream: Stream) {
        run.failed("timeout")
        stream.abort()
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        self.stream = nil
        if step != .quit && reason != .local { run.failed("closed: \(reason)") }
        run.clientEnded(self)
    }

    private func send(_ text: String, then next: Step) {
        step = next
        let bytes = Array(text.utf8)
        stream?.write(bytes.span)
    }

    private func answer(_ code: Int) {
        switch (step, code) {
        case (.greeting, 220): send("EHLO perf.example\r\n", then: .ehlo)
        case (.ehlo, 250) where plan.security == .starttls: send("STARTTLS\r\n", then: .startTLS)
        case (.startTLS, 220):
            connectTime = run.loop.now
            stream?.startTLS(run.tls!, serverName: plan.serverName)
        case (.ehlo, 250), (.securedEHLO, 250): logIn()
        case (.login, 235):
            run.logins.record(run.loop.now, since: loginTime)
            run.loggedIn(self)
        case (.mail, 250): mailAnswered()
        case (.recipients, 250): recipientAnswered()
        case (.data, 354):
            step = .content
            sentBytes = 0
            sendContent()
        case (.content, 250):
            messagesSent += 1
            run.messageLatencies.record(run.loop.now, since: messageTime)
            run.messageAccepted()
            nextMessage()
        case (.quit, _): stream?.finish()
        default:
            run.failed("reply \(code)")
            step = .quit
            stream?.finish()
        }
    }

    private func logIn() {
        guard let password = plan.password else { return run.loggedIn(self) }
        loginTime = run.loop.now
        let credentials = Array("\0\(plan.username)\0\(password)".utf8)
        send("AUTH PLAIN \(base64(credentials))\r\n", then: .login)
    }

    /// Stays connected and says nothing.
    func rest() {
        step = .resting
        stream?.deadline = .never
    }

    /// Sends the next message, or QUIT when the share is done.
    func nextMessage() {
        guard messagesSent < plan.messagesPerConnection, run.takeMessage() else {
            return send("QUIT\r\n", then: .quit)
        }
        stream?.deadline = run.loop.now.advanced(byMilliseconds: 120_000)
        messageTime = run.loop.now
        recipientsAnswered = 0
        send("MAIL FROM:<\(plan.sender)> SIZE=\(run.message.count)\r\n", then: .mail)
        if plan.isPipelining {
            for index in 0..<plan.recipients { writeRecipient(index) }
            stream?.write("DATA\r\n")
        }
    }

    private func writeRecipient(_ index: Int) {
        let line = Array("RCPT TO:<recipient\(index)@\(plan.recipientDomain)>\r\n".utf8)
        stream?.write(line.span)
    }

    private func mailAnswered() {
        step = .recipients
        if !plan.isPipelining { writeRecipient(0) }
    }

    private func recipientAnswered() {
        recipientsAnswered += 1
        let isLast = recipientsAnswered == plan.recipients
        if plan.isPipelining {
            if isLast { step = .data }
        } else if isLast {
            send("DATA\r\n", then: .data)
        } else {
            writeRecipient(recipientsAnswered)
        }
    }

    private func sendContent() {
        guard let stream else { return }
        let message = run.message
        while sentBytes < message.count && !stream.isAboveHighWater {
            let end = min(sentBytes + 16_384, message.count)
            stream.writeRecord(message.span.extracting(sentBytes..<end))
            sentBytes = end
        }
    }
}

/// Finds the end of each reply: the code of a line `ddd text`, continuation lines passed over.
struct ReplyReader {
    private var column = 0
    private var code = 0
    private var isLast = true

    mutating func take(_ byte: UInt8) -> Int? {
        if byte == 10 {
            let result = isLast ? code : nil
            self = ReplyReader()
            return result
        }
        if column < 3 { code = code * 10 + Int(byte &- 48) }
        if column == 3 { isLast = byte != 0x2D }
        column += 1
        return nil
    }
}

/// Base64 of a few bytes (credentials).
private func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var result: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let chunk = bytes[start..<min(start + 3, bytes.count)]
        var bits = 0
        for byte in chunk { bits = bits << 8 | Int(byte) }
        bits <<= 8 * (3 - chunk.count)
        for place in 0..<4 {
            result.append(place <= chunk.count ? alphabet[bits >> (18 - 6 * place) & 63] : 0x3D)
        }
    }
    return String(decoding: result, as: UTF8.self)
}
