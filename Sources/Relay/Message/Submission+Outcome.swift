// What a submission learns from the API's answer, and whom it tells.

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
            logAnswer(response)
            learn(from: outcome)
            if (200...299).contains(response.status), !outcome.isAccepted {
                logUncertain("a success that can't be read", response.requestID)
            }
            if outcome.isAccepted && !isComplete { return .unavailable(isUncertain: true) }
            return outcome
        case .notSent(let reason):
            worker.shared.log.event(
                .notice, "api-not-sent", session: sessionID, ["reason": reason])
            return .unavailable(isUncertain: false)
        case .uncertain(let reason, let requestID):
            logUncertain(reason, requestID)
            return .unavailable(isUncertain: true)
        }
    }

    private func logUncertain(_ reason: String, _ requestID: String) {
        worker.shared.log.event(
            .warning, "api-uncertain", session: sessionID,
            ["reason": reason, "request_id": requestID])
    }

    private func logAnswer(_ response: APIResponse) {
        worker.shared.log.event(
            response.status < 500 ? .debug : .notice, "api-answer", session: sessionID,
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
        worker.shared.log.event(
            .debug, "mapping-losses", session: sessionID, ["kinds": losses.summary])
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
