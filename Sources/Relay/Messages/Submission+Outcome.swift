// What a submission learns from the API's answer, and whom it tells.

import APIClient
import Logging
import Mapping
import Reactor
import Wire

extension Submission {
    /// The outcome of one call, logged and remembered.
    /// - Parameter isComplete: whether the API had the whole request. A success without it is not
    ///   to be believed.
    func interpret(_ result: APIResult, isComplete: Bool) -> Outcome {
        switch result {
        case .response(let response):
            let outcome = response.outcome(reusing: &parts.messageID)
            requestIDBytes = response.requestIDBytes
            logAnswer(response)
            learn(from: outcome)
            if (200...299).contains(response.status), !outcome.isAccepted {
                logUncertain("a success that can't be read", response.requestID)
            }
            if outcome.isAccepted && !isComplete { return .unavailable(isUncertain: true) }
            return outcome
        case .notSent(let reason):
            log(.notice, "api-not-sent", ["reason": reason])
            return .unavailable(isUncertain: false)
        case .uncertain(let reason, let requestID):
            requestIDBytes = Array(requestID.utf8)
            logUncertain(reason, requestID)
            return .unavailable(isUncertain: true)
        }
    }

    /// One event of this message, which `session` and `message` together name. The fields are not
    /// made when it is not logged.
    func log(
        _ level: Logger.Level, _ name: StaticString,
        _ fields: @autoclosure () -> KeyValuePairs<StaticString, String> = [:]
    ) {
        guard worker.shared.log.control.allows(level) else { return }
        worker.shared.log.event(
            level, name, session: sessionID, message: messageNumber, fields())
    }

    private func logUncertain(_ reason: String, _ requestID: String) {
        log(.warning, "api-uncertain", ["reason": reason, "request_id": requestID])
    }

    private func logAnswer(_ response: APIResponse) {
        log(
            response.status < 500 ? .debug : .notice, "api-answer",
            ["status": String(response.status), "request_id": response.requestID])
    }

    private func learn(from outcome: Outcome) {
        switch outcome {
        case .keyRefused: worker.shared.keyCache.forget(key.hash)
        case .rateLimited(let limit):
            worker.shared.rateLimits.record(limit, on: key.hash, at: worker.loop.now)
        default: break
        }
    }

    /// The answer came when the client was gone: it will ask again, if anything.
    func noteSilently(_ outcome: Outcome) {
        guard let digest else { return }
        if case .accepted(let messageID) = outcome {
            worker.shared.duplicates.record(digest, messageID: messageID, at: worker.loop.now)
        } else {
            worker.shared.duplicates.settle(digest)
        }
    }

    func count(_ outcome: Outcome) {
        worker.counters.messages.count(outcome.kind, bytes: contentBytes)
    }

    func note(_ losses: MappingLosses) {
        guard losses != MappingLosses() else { return }
        worker.counters.losses.add(losses)
        log(.debug, "mapping-losses", ["kinds": losses.summary])
    }
}

extension Outcome {
    var isAccepted: Bool {
        if case .accepted = self { return true }
        return false
    }
}

extension ContentHash {
    /// Whose message it is and for whom: the same content under another key or envelope is another
    /// submission.
    mutating func feed(key: APIKey.Hash, _ envelope: borrowing Envelope) {
        feed(key.high)
        feed(key.low)
        let sender = envelope.sender
        feed(UInt64(sender.count))
        feed(envelope.bytes(sender))
        feed(UInt64(envelope.recipientCount))
        for index in 0..<envelope.recipientCount {
            let recipient = envelope.recipient(index)
            feed(UInt64(recipient.count))
            feed(envelope.bytes(recipient))
        }
    }
}
