// What can be read from the API: its two lists, as it documents them.

import Log
import Wire

extension SandboxService {
    /// `GET /v1/emails`: newest first.
    func listEmails(_ request: SandboxRequest) -> SandboxAnswer {
        guard
            let limit = number(request, "limit", SandboxLimits.api.pageSizeDefault), limit > 0,
            limit <= SandboxLimits.api.pageSizeMax, let offset = number(request, "offset", 0)
        else {
            return .badRequest("limit must be 1 to 100, offset not negative")
        }
        let found = store.messages.reversed().filter { matches($0, request) }
        var json = Array(#"{"emails":"#.utf8)
        json.append(jsonArray: found.dropFirst(offset).prefix(limit)) { json, message in
            json.append(text: #"{"id":"\#(message.id)","#)
            json.appendSummary(of: message)
        }
        json.append(text: #","total":\#(found.count)}"#)
        return SandboxAnswer(status: 200, json: json)
    }

    /// `GET /v1/suppressions/check?email=`: everybody at suppressed.test is.
    func checkSuppression(_ request: SandboxRequest) -> SandboxAnswer {
        guard let address = request.value("email").flatMap({ SendAddress($0) }) else {
            return .badRequest(#""email" is required and must be an address"#)
        }
        guard address.domain == "suppressed.test" else {
            return SandboxAnswer(status: 200, json: #"{"suppressed":false}"#)
        }
        var json = Array(#"{"suppressed":true,"entry":{"email":"#.utf8)
        json.append(jsonString: String(address.address))
        json.append(text: #","reason":"hard_bounce","created_at":"2026-01-01T00:00:00Z"}}"#)
        return SandboxAnswer(status: 200, json: json)
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

extension [UInt8] {
    /// The fields that both lists share, and the closing brace.
    mutating func appendSummary(of message: SandboxMessage) {
        append(text: #""message_id":"#)
        append(jsonString: message.messageID)
        append(text: #","from":"#)
        append(jsonString: message.request.from)
        for (name, list) in [
            ("to", message.request.to), ("cc", message.request.cc), ("bcc", message.request.bcc),
        ] {
            append(text: #","\#(name)":"#)
            append(jsonArray: list) { $0.append(jsonString: $1) }
        }
        append(text: #","subject":"#)
        append(jsonString: message.request.subject ?? "")
        append(text: #","status":"\#(message.status)","created_at":""#)
        append(text: Timestamp.text(seconds: message.acceptedAt, milliseconds: 0))
        append(text: message.isTest ? #"","environment":"test"}"# : #""}"#)
    }
}
