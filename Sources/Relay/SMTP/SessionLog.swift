// What an operator can read about one session: its events, and the transcript that `--trace-key` or
// `--trace-address` ask for. Never a key, never content.
//
// A transcript does not hold what could be a credential: the responses of AUTH, and lines that were
// not understood, because a client that is out of step may send its password there. Of a message it
// has only the size. Its lines are bounded for all sessions together (`TraceRules`).

import APIClient
import Log
import Reactor
import Wire

/// Writes the events of one session.
struct SessionLog: ~Copyable {
    /// Longest piece of a line in a transcript, in bytes.
    private static let traceBytesMax = 512

    private let log: EventLog
    private let rules: TraceRules?
    private let peer: SocketAddress
    /// Of the session; 0 until it has opened.
    private var session: UInt64 = 0
    /// A transcript is written.
    private(set) var isTraced = false

    init(_ shared: Shared, peer: SocketAddress) {
        log = shared.log
        rules = shared.configuration.trace
        self.peer = peer
    }

    // MARK: Events

    /// - Parameter session: names the session in every event from now on.
    mutating func opened(_ session: UInt64, isTLS: Bool) {
        self.session = session
        isTraced = rules?.matches(peer) ?? false
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

    func handshakeRefused() {
        log.event(.info, "handshake-refused", session: session, ["peer": peer.host])
    }

    func loginAccepted() {
        log.event(.info, "login-accepted", session: session, ["peer": peer.host])
    }

    func loginUnavailable() {
        log.event(.notice, "login-unavailable", session: session, ["peer": peer.host])
    }

    /// The key has more sessions than are free.
    func loginOverShare() {
        log.event(
            .notice, "login-over-share", session: session,
            ["peer": peer.host, "reason": "the key holds as many sessions as are free"])
    }

    /// The address of the peer has failed too often; its key was not looked at.
    func loginTurnedAway() {
        log.event(.info, "login-turned-away", session: session, ["peer": peer.host])
    }

    /// With the address of the peer, for fail2ban and its kin.
    func loginRefused(_ fault: LoginFault) {
        log.event(
            .info, "login-refused", session: session, ["peer": peer.host, "reason": fault.word])
    }

    /// A reply that refused something.
    func refused(_ reply: Reply) {
        log.event(
            .debug, "refused", session: session,
            ["reply": "\(reply.code)", "text": "\(reply.text)"])
    }

    /// The outcome of a message; `session` and `message` together name it.
    /// - Parameters:
    ///   - messages: of the session; the last one is meant.
    ///   - contentBytes: its size.
    func message(
        _ outcome: Outcome, _ reply: Reply, _ messages: borrowing SessionMessages,
        contentBytes: Int
    ) {
        guard log.control.allows(.info) else { return }
        let (number, recipients) = (messages.count, messages.recipientCount)
        let requestID = messages.requestID
        log.event(
            .info, "message", session: session,
            [
                "peer": peer.host, "message": "\(number)", "recipients": "\(recipients)",
                "bytes": "\(contentBytes)", "outcome": outcome.kind.word,
                "reply": "\(reply.code)", "message_id": outcome.messageIDText,
                "request_id": requestID,
            ])
    }

    // MARK: The transcript

    /// A transcript is written from now on: the login is one that an operator asked about.
    mutating func beginTranscript(message: Int, at now: MonotonicTime) {
        guard !isTraced else { return }
        isTraced = true
        note("the key matches", message: message, at: now)
    }

    /// A line of the client.
    /// - Parameter message: how many the session has begun.
    func line(_ verb: CommandVerb, _ line: Bytes, message: Int, at now: MonotonicTime) {
        guard isTraced else { return }
        write("C", Self.visible(verb, line), message, now)
    }

    func reply(_ reply: Reply, message: Int, at now: MonotonicTime) {
        guard isTraced else { return }
        let detail = String(decoding: reply.detail.prefix(Self.traceBytesMax), as: UTF8.self)
        write("S", "\(reply.code) \(reply.text)\(detail)", message, now)
    }

    /// Something that is neither a line nor a reply.
    func note(_ text: @autoclosure () -> String, message: Int, at now: MonotonicTime) {
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

    private func write(_ side: String, _ text: String, _ message: Int, _ now: MonotonicTime) {
        guard let rules, case .write(let suppressed) = rules.admitsLine(at: now) else { return }
        if suppressed > 0 {
            log.event(.notice, "trace-suppressed", ["lines": "\(suppressed)"])
        }
        log.event(
            .notice, "trace", session: session,
            ["peer": peer.host, "message": "\(message)", "side": side, "text": text])
    }
}

extension Outcome {
    fileprivate var messageIDText: String {
        guard case .accepted(let messageID) = self else { return "" }
        return String(decoding: messageID, as: UTF8.self)
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
