// What can be read from the sandbox: the API's own two lists, and the test access.
//
// `/v1/…` is as the API documents it. Everything below `/sandbox` exists only here, needs no key,
// and is how a test looks at what was sent.

import Wire

extension SandboxService {
    // MARK: the API

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

    // MARK: test access

    /// Answers what lies below `/sandbox`.
    func respondToTest(_ request: SandboxRequest) -> SandboxAnswer {
        if request.path == "/sandbox/stats" {
            return request.method == "GET" ? statisticsAnswer() : .methodNotAllowed("GET")
        }
        guard let path = request.segments(behind: "/sandbox/messages") else { return .notFound() }
        if path.isEmpty {
            switch request.method {
            case "GET": return listMessages()
            case "DELETE":
                store.removeAll()
                return SandboxAnswer(status: 200, json: #"{"messages":[],"total":0}"#)
            default: return .methodNotAllowed("GET, DELETE")
            }
        }
        guard request.method == "GET" else { return .methodNotAllowed("GET") }
        return message(path)
    }

    /// `<id>`, or `<id>/attachments/<n>` with n counted from 1.
    private func message(_ path: [String]) -> SandboxAnswer {
        guard let message = store.message(path[0]) else { return .notFound() }
        if path.count == 1 {
            guard let body = store.body(of: message) else { return .notFound() }
            return SandboxAnswer(status: 200, json: body)
        }
        guard path.count == 3, path[1] == "attachments", let number = Int(path[2]), number > 0,
            let content = store.attachment(number - 1, of: message)
        else { return .notFound() }
        var answer = SandboxAnswer(status: 200, json: content)
        answer.contentType = "application/octet-stream"
        return answer
    }

    /// `GET /sandbox/messages`: oldest first, all that is remembered.
    private func listMessages() -> SandboxAnswer {
        var json = Array(#"{"messages":"#.utf8)
        json.append(jsonArray: store.messages) { json, message in
            json.append(text: "{")
            json.appendAttachments(of: message)
            json.append(text: #","bytes":\#(message.bodyBytes),"#)
            json.appendSummary(of: message)
        }
        json.append(text: #","total":\#(store.messages.count)}"#)
        return SandboxAnswer(status: 200, json: json)
    }

    private func statisticsAnswer() -> SandboxAnswer {
        let s = statistics
        var json = #"{"connections":\#(s.connections),"connections_open":\#(s.connectionsOpen),"#
        json += #""requests":\#(s.requests),"incomplete":\#(s.incomplete),"#
        json += #""accepted":\#(s.accepted),"refused":\#(s.refused),"body_bytes":\#(s.bodyBytes)}"#
        return SandboxAnswer(status: 200, json: json)
    }
}

extension [UInt8] {
    /// The fields that both lists share, and the closing brace.
    fileprivate mutating func appendSummary(of message: SandboxMessage) {
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

    fileprivate mutating func appendAttachments(of message: SandboxMessage) {
        append(text: #""attachments":"#)
        append(jsonArray: message.request.attachments) { json, attachment in
            json.append(text: #"{"filename":"#)
            json.append(jsonString: attachment.filename)
            json.append(text: #","content_type":"#)
            json.append(jsonString: attachment.contentType)
            json.append(text: #","bytes":\#(attachment.decodedBytes)}"#)
        }
    }
}
