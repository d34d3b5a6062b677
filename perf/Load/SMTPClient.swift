// One SMTP connection of the load, up to its login: connects, secures, logs in (RFC 5321, 3207,
// 4954). Its subclass decides what it does after that.
//
// A reply that is not the expected one ends the connection and is counted by its code.

import Reactor

/// Connects and logs in for a `LoadRun`.
class SMTPClient: StreamHandler {
    private enum Login { case greeting, ehlo, startTLS, securedEHLO, credentials, done }

    /// How long a server may be silent before the client gives up.
    static let patienceMilliseconds = 120_000

    let run: LoadRun
    let plan: LoadPlan
    private(set) var stream: Stream?
    private var login = Login.greeting
    private var replies = ReplyReader()
    private(set) var isLeaving = false
    var isLoggedIn: Bool { login == .done }
    private var connectTime = MonotonicTime.readClock()
    private var loginTime = MonotonicTime.never

    init(run: LoadRun) {
        self.run = run
        plan = run.plan
        super.init()
    }

    func start() {
        stream = Stream.connect(
            loop: run.loop, to: plan.server, tls: plan.security == .tls ? run.tls : nil,
            serverName: plan.serverName, handler: self)
        bePatient()
    }

    /// Closes at once, with a reset.
    func end() {
        isLeaving = true
        stream?.abort()
    }

    // MARK: For subclasses

    /// The login was accepted, or none was needed.
    func loggedIn() {}
    /// A reply after the login.
    func replied(_ code: Int) {}
    /// The connection is gone; the last call.
    func ended() {}
    /// The key that its failures are counted under.
    var failurePrefix: String { "" }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        stream?.write(bytes.span)
    }

    /// Sends QUIT; the reply does not matter.
    func leave() {
        guard !isLeaving else { return }
        isLeaving = true
        send("QUIT\r\n")
        stream?.deadline = run.loop.now.advanced(byMilliseconds: 5_000)
    }

    func fail(_ what: String) {
        run.failed(failurePrefix + what)
        isLeaving = true
        stream?.finish()
    }

    func bePatient() {
        stream?.deadline = run.loop.now.advanced(byMilliseconds: SMTPClient.patienceMilliseconds)
    }

    // MARK: StreamHandler

    override func streamOpened(_ stream: Stream) {
        guard stream.tls != nil else { return }
        run.handshakes.record(.readClock(), since: connectTime)
        if login == .startTLS {
            login = .securedEHLO
            send("EHLO perf.example\r\n")
        }
    }

    override func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {
        for index in bytes.indices {
            guard let code = replies.take(bytes[index]) else { continue }
            if isLeaving {
                stream.finish()
            } else if login == .done {
                replied(code)
            } else {
                advanceLogin(code)
            }
        }
    }

    override func streamTimedOut(_ stream: Stream) {
        if !isLeaving { run.failed(failurePrefix + "timeout") }
        end()
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        self.stream = nil
        if !isLeaving { run.failed(failurePrefix + "closed: \(reason)") }
        ended()
        run.clientEnded(self)
    }

    private func advanceLogin(_ code: Int) {
        switch (login, code) {
        case (.greeting, 220):
            login = .ehlo
            send("EHLO perf.example\r\n")
        case (.ehlo, 250) where plan.security == .starttls:
            login = .startTLS
            send("STARTTLS\r\n")
        case (.startTLS, 220):
            connectTime = .readClock()
            guard let tls = run.tls else { return fail("no TLS") }
            stream?.startTLS(tls, serverName: plan.serverName)
        case (.ehlo, 250), (.securedEHLO, 250): sendCredentials()
        // Postfix's smtp-sink answers 250.
        case (.credentials, 235), (.credentials, 250):
            run.logins.record(.readClock(), since: loginTime)
            login = .done
            loggedIn()
        default: fail("reply \(code) (login)")
        }
    }

    private func sendCredentials() {
        guard let password = plan.password else {
            login = .done
            return loggedIn()
        }
        login = .credentials
        loginTime = .readClock()
        let key = plan.keys > 1 ? "\(password)\(run.takeKeyNumber())" : password
        let credentials = Array("\0\(plan.username)\0\(key)".utf8)
        send("AUTH PLAIN \(base64(credentials))\r\n")
    }
}

/// Base64 of a few bytes (RFC 4648 section 4).
func base64(_ bytes: [UInt8]) -> String {
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
