// What an operator can read about one session: its events, and the transcript that `--trace-key` or
// `--trace-address` ask for. Never a key, never content.
//
// A transcript does not hold what could be a credential: the responses of AUTH, and lines that were
// not understood, because a client that is out of step may send its password there. Of a message it
// has only the size. Its lines are bounded for all sessions together (`TraceRules`).

import APIClient
import Log
import Logging
import Reactor
import Wire

/// Writes the events of one session.
struct SessionLog: ~Copyable {
    /// Longest piece of a line in a transcript, in bytes.
    private static let traceBytesMax = 512

    /// Longest list of recipients in a line, in bytes.
    private static let recipientBytesMax = 8_192

    private let log: EventLog
    /// For what is logged of every login and message.
    private let lines: LoopLog
    private let rules: TraceRules
    private let pace: RefusalPace
    private let hasEnvelopes: Bool
    private let peer: SocketAddress
    /// The peer's address without the port.
    private var host = ""
    /// Of the session; 0 until it has opened.
    private var session: UInt64 = 0
    /// How operators name the key of the login; empty before it.
    private var key = ""
    /// A transcript is written, unless its time is over.
    private(set) var isTraced = false
    private var tracedUntil = MonotonicTime(nanoseconds: 0)

    init(_ worker: Worker, peer: SocketAddress) {
        let shared = worker.shared
        log = shared.log
        lines = worker.log
        rules = shared.traces
        pace = shared.refusedMail
        hasEnvelopes = shared.configuration.logsEnvelopes
        self.peer = peer
    }

    // MARK: Events

    /// - Parameter session: names the session in every event from now on.
    mutating func opened(_ session: UInt64, isTLS: Bool, at now: MonotonicTime) {
        self.session = session
        host = peer.host
        if let end = rules.end(of: peer, at: now) {
            isTraced = true
            tracedUntil = end
        }
        log.event(
            .debug, "session-opened", session: session,
            ["peer": "\(peer)", "tls": isTLS ? "implicit" : "starttls"])
    }

    /// - Parameter messages: begun in this session.
    func closed(_ reason: CloseReason, messages: Int) {
        log.event(
            .debug, "session-closed", session: session,
            ["reason": reason.word, "messages": "\(messages)"])
    }

    func secured(_ tls: TLSInfo) {
        log.event(
            .debug, "session-secured", session: session,
            [
                "version": tls.version, "cipher": tls.cipher, "group": tls.group,
                "resumed": "\(tls.resumed)",
            ])
    }

    func handshakeRefused() {
        log(.info, "handshake-refused", key: "")
    }

    /// - Parameter account: of the key; every line of the session names it from now on.
    mutating func loginAccepted(_ account: Account) {
        key = account.nameText
        log(.info, "login-accepted", key: key)
    }

    /// - Parameters:
    ///   - key: its name, if one was given.
    ///   - reason: why the API could not be asked.
    func loginUnavailable(_ key: UInt64?, reason: String) {
        log(.notice, "login-unavailable", key: Self.text(key), reason: reason)
    }

    /// The key has more sessions than are free.
    func loginOverShare(_ key: UInt64?) {
        log(
            .notice, "login-over-share", key: Self.text(key),
            reason: "the key holds as many sessions as are free")
    }

    /// The address of the peer has failed too often; its key was not looked at.
    func loginTurnedAway() {
        log(.info, "login-turned-away", key: "")
    }

    /// With the address of the peer, for fail2ban and its kin.
    func loginRefused(_ fault: LoginFault, _ key: UInt64?) {
        log(.info, "login-refused", key: Self.text(key), reason: fault.word)
    }

    /// One event of the login; `key` and `reason` are left out when they are empty.
    private func log(
        _ level: Logger.Level, _ name: StaticString, key: String, reason: String = ""
    ) {
        guard lines.begin(level, name) else { return }
        lines.optional("key", key)
        lines.text("peer", host)
        lines.optional("reason", reason)
        addSession()
        lines.end()
    }

    private func addSession() {
        if session != 0 { lines.hexadecimal("session", session) }
    }

    private static func text(_ key: UInt64?) -> String { key.map(hexadecimal) ?? "" }

    /// A reply that refused something.
    func refused(_ reply: Reply) {
        log.event(
            .debug, "refused", session: session,
            ["reply": "\(reply.code)", "text": "\(reply.text)"], optional: ["key": key])
    }

    /// A MAIL that is refused because a limit of the API still runs: one line a minute and key.
    func mailRefused(_ limit: RateLimit, of hash: APIKey.Hash, at now: MonotonicTime) {
        guard log.control.allows(.info), let count = pace.note(hash, at: now),
            lines.begin(.info, "mail-refused")
        else { return }
        lines.text("key", key)
        lines.optional("limit", limit.kind)
        lines.text("peer", host)
        lines.text("reason", "rate-limit")
        lines.number("refused", count)
        if let seconds = limit.retryAfterSeconds { lines.number("seconds", seconds) }
        addSession()
        lines.end()
    }

    /// The outcome of a message; `session` and `message` together name it.
    /// - Parameters:
    ///   - messages: of the session; the last one is meant.
    ///   - contentBytes: its size.
    func message(
        _ outcome: Outcome, _ reply: Reply, _ messages: borrowing SessionMessages,
        contentBytes: Int
    ) {
        guard lines.begin(.info, "message") else { return }
        let facts = messages.hasFacts ? messages.facts : nil
        if let facts {
            lines.optional("accepted", facts.acceptedText)
            lines.optional("api_says", facts.apiText)
        }
        lines.number("bytes", contentBytes)
        if let facts {
            let clientID = String(decoding: facts.clientMessageID, as: UTF8.self)
            lines.optional("client_message_id", Self.shown(clientID, messages))
        }
        if hasEnvelopes {
            let sender = messages.senderText
            lines.text("from", sender.isEmpty ? "<>" : Self.shown(sender, messages))
        }
        lines.word("key", key)
        if let facts { lines.optional("ledger", facts.ledgerText) }
        lines.number("message", messages.count)
        lines.text("message_id", outcome.messageIDBytes)
        if let facts { lines.optional("message_ids", facts.messageIDsText) }
        lines.word("outcome", outcome.kind.word)
        lines.word("peer", host)
        lines.number("recipients", messages.recipientCount)
        lines.number("reply", reply.code)
        lines.text("request_id", messages.requestID)
        addSession()
        if hasEnvelopes {
            let recipients = messages.recipientsText(bytesMax: Self.recipientBytesMax)
            lines.optional("to", Self.shown(recipients, messages))
        }
        lines.end()
    }

    /// A client that is badly set up may send its key anywhere.
    private static func shown(_ text: String, _ messages: borrowing SessionMessages) -> String {
        messages.repeatsKey(text) ? MessageFacts.hiddenWords : text
    }

    /// The client ends its lines with LF, also around the dot that ends a message.
    func messageUnended(message: Int, contentBytes: Int) {
        log.event(
            .notice, "message-unended", session: session,
            [
                "peer": host, "key": key, "message": "\(message)", "bytes": "\(contentBytes)",
                "reason": "its last dot has no CRLF before and after it",
            ])
    }

    // MARK: The transcript

    /// A transcript is written from now on: an operator asked for this session, or for those of the
    /// key that it logs in with.
    mutating func beginTranscript(
        until end: MonotonicTime, because reason: StaticString, message: Int,
        at now: MonotonicTime
    ) {
        let isContinued = isTraced && tracedUntil > now
        tracedUntil = isContinued ? max(tracedUntil, end) : end
        isTraced = true
        if !isContinued { note("\(reason)", message: message, at: now) }
    }

    /// A line of the client.
    /// - Parameter message: how many the session has begun.
    mutating func line(_ verb: CommandVerb, _ line: Bytes, message: Int, at now: MonotonicTime) {
        guard isTraced else { return }
        write("C", Self.visible(verb, line), message, now)
    }

    mutating func reply(_ reply: Reply, message: Int, at now: MonotonicTime) {
        guard isTraced else { return }
        let detail = String(decoding: reply.detail.prefix(Self.traceBytesMax), as: UTF8.self)
        write("S", "\(reply.code) \(reply.text)\(detail)", message, now)
    }

    /// Something that is neither a line nor a reply.
    mutating func note(_ text: @autoclosure () -> String, message: Int, at now: MonotonicTime) {
        guard isTraced else { return }
        write("-", text(), message, now)
    }

    /// A line as it may be shown.
    private static func visible(_ verb: CommandVerb, _ line: Bytes) -> String {
        switch verb {
        case .auth:
            let words = line.copied().split(separator: 0x20, omittingEmptySubsequences: true)
            let mechanism = words.count > 1 ? String(decoding: words[1], as: UTF8.self) : ""
            return "AUTH \(mechanism)" + (words.count > 2 ? " (response hidden)" : "")
        case .response: return "(response hidden, \(line.count) bytes)"
        case .malformed, .http:
            let isEnvelope = line.startsIgnoringCase("MAIL ") || line.startsIgnoringCase("RCPT ")
            return isEnvelope ? cut(line) : "(not understood, \(line.count) bytes)"
        default: return cut(line)
        }
    }

    private static func cut(_ line: Bytes) -> String {
        line.extracting(0..<min(line.count, traceBytesMax)).copiedText()
    }

    private mutating func write(
        _ side: String, _ text: String, _ message: Int, _ now: MonotonicTime
    ) {
        guard now < tracedUntil else {
            isTraced = false
            return
        }
        guard case .write(let suppressed) = rules.admitsLine(at: now) else { return }
        if suppressed > 0 {
            log.event(.notice, "trace-suppressed", ["lines": "\(suppressed)"])
        }
        log.event(
            .notice, "trace", session: session,
            ["peer": host, "message": "\(message)", "side": side, "text": text],
            optional: ["key": key])
    }
}

extension Outcome {
    fileprivate var messageIDBytes: [UInt8] {
        guard case .accepted(let messageID) = self else { return [] }
        return messageID
    }
}

extension CloseReason {
    /// Why a connection ended, for the log.
    fileprivate var word: String {
        switch self {
        case .local: "local"
        case .peer: "peer"
        case .system(let errno): "errno \(errno)"
        case .tls(let line): "tls: \(line)"
        }
    }
}
