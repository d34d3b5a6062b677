// The transcript of a session that an operator asked for: what the client said and was answered.
//
// What could hold a credential is not written: the responses of AUTH, and lines that were not
// understood, for a client that is out of step may send its password there. Of a message only the
// size. Lines of all sessions together are bounded (`TraceRules.linesPerSecondMax`).

import Reactor
import Wire

extension Session {
    /// Longest piece of a line that is written.
    private static let traceBytesMax = 512

    func traceLine(_ verb: CommandVerb, _ line: Bytes) {
        guard isTraced else { return }
        switch verb {
        case .auth:
            let words = line.copied().split(separator: 0x20, omittingEmptySubsequences: true)
            let mechanism = words.count > 1 ? String(decoding: words[1], as: UTF8.self) : ""
            trace("C", "AUTH \(mechanism)" + (words.count > 2 ? " (response hidden)" : ""))
        case .response: trace("C", "(response hidden, \(line.count) bytes)")
        case .malformed, .http:
            let isEnvelope = line.startsIgnoringCase("MAIL ") || line.startsIgnoringCase("RCPT ")
            trace("C", isEnvelope ? Self.cut(line) : "(not understood, \(line.count) bytes)")
        default:
            trace("C", Self.cut(line))
        }
    }

    private static func cut(_ line: Bytes) -> String {
        line.extracting(0..<min(line.count, traceBytesMax)).copiedText()
    }

    func traceReply(_ reply: Reply) {
        guard isTraced else { return }
        let detail = String(decoding: reply.detail.prefix(Self.traceBytesMax), as: UTF8.self)
        trace("S", "\(reply.code) \(reply.text)\(detail)")
    }

    func traceNote(_ text: @autoclosure () -> String) {
        guard isTraced else { return }
        trace("-", text())
    }

    private func trace(_ side: String, _ text: String) {
        guard let rules = worker.shared.configuration.trace,
            case .write(let suppressed) = rules.admitsLine(at: now)
        else { return }
        if suppressed > 0 {
            log.event(.notice, "trace-suppressed", ["lines": "\(suppressed)"])
        }
        log.event(
            .notice, "trace", session: id,
            ["peer": peer.host, "message": "\(messageNumber)", "side": side, "text": text])
    }
}
