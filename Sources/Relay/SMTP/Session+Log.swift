// What an operator can read about a session. Never a key, never content.

import APIClient
import Reactor
import Wire

extension Session {
    /// What became of a message; `session` and `message` together name it.
    /// - Parameter requestID: the API's, of the call that decided; empty when there was none.
    func logMessage(_ outcome: Outcome, _ reply: Reply, requestID: [UInt8]) {
        log.event(
            .info, "message", session: id,
            [
                "peer": peer.host, "message": "\(messageNumber)",
                "recipients": "\(envelope.recipientCount)",
                "bytes": "\(machine.content.byteCount)", "outcome": outcome.kind.word,
                "reply": "\(reply.code)",
                "message_id": outcome.messageIDText,
                "request_id": String(decoding: requestID, as: UTF8.self),
            ])
    }

    /// A reply that refused something.
    func logRefused(_ reply: Reply) {
        log.event(
            .debug, "refused", session: id, ["reply": "\(reply.code)", "text": "\(reply.text)"])
    }

    func logClosed(_ reason: CloseReason) {
        log.event(
            .debug, "session-closed", session: id,
            ["reason": reason.word, "messages": "\(messageNumber)"])
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
