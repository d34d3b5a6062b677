// What can be read from the API: its list of messages and its suppressions, as it documents them.

import HTTPServer
import Log
import Wire

/// Answers the reads of the API. Belongs to the sandbox's thread.
struct SandboxLists {
    private let slowMilliseconds: Int
    private let store: SandboxStore

    init(options: SandboxOptions, store: SandboxStore) {
        slowMilliseconds = options.slowMilliseconds
        self.store = store
    }

    /// `GET /v1/emails`, the key check among them, and `GET /v1/suppressions/check`.
    func answer(_ request: SandboxRequest, _ behaviour: SandboxBehaviour) -> HTTPAnswer {
        if let refusal = behaviour.read.refusal() { return refusal }
        var answer =
            request.path == "/v1/emails" ? listEmails(request) : checkSuppression(request)
        if behaviour.read == .slow { answer.delivery = .after(milliseconds: slowMilliseconds) }
        return answer
    }

    /// Newest first.
    private func listEmails(_ request: SandboxRequest) -> HTTPAnswer {
        guard
            let limit = number(request, "limit", SandboxLimits.api.pageSizeDefault), limit > 0,
            limit <= SandboxLimits.api.pageSizeMax, let offset = number(request, "offset", 0)
        else {
            return .badRequest("limit must be 1 to 100, offset not negative")
        }
        let found = store.messages.reversed().filter { matches($0, request) }
        return .object {
            $0.array("emails") { list in
                for message in found.dropFirst(offset).prefix(limit) {
                    list.object {
                        $0.field("id", message.id)
                        message.writeSummary(to: &$0)
                    }
                }
            }
            $0.field("total", found.count)
        }
    }

    /// Everybody at suppressed.test is suppressed.
    private func checkSuppression(_ request: SandboxRequest) -> HTTPAnswer {
        guard let address = request.value("email").flatMap({ SendAddress($0) }) else {
            return .badRequest(#""email" is required and must be an address"#)
        }
        let isSuppressed = MagicAddress.recipientDomain(address) == "suppressed.test"
        return .object {
            $0.field("suppressed", isSuppressed)
            guard isSuppressed else { return }
            $0.object("entry") {
                $0.field("email", String(address.address))
                $0.field("reason", "hard_bounce")
                $0.field("created_at", "2026-01-01T00:00:00Z")
            }
        }
    }

    private func number(_ request: SandboxRequest, _ name: String, _ absent: Int) -> Int? {
        guard let text = request.value(name) else { return absent }
        guard let number = Int(text), number >= 0 else { return nil }
        return number
    }

    /// Whether a message passes the filters of the query: status and addresses as a whole, the
    /// subject by a part of it.
    private func matches(_ message: SandboxMessage, _ request: SandboxRequest) -> Bool {
        if let status = request.value("status"), status != message.status { return false }
        if let from = request.value("from"), from != bare(message.request.from) { return false }
        if let to = request.value("to"), !message.request.recipients.map(bare).contains(to) {
            return false
        }
        if let part = request.value("subject"), !(message.request.subject ?? "").contains(part) {
            return false
        }
        return true
    }

    private func bare(_ text: String) -> String {
        SendAddress(text).map { String($0.address) } ?? text
    }
}
