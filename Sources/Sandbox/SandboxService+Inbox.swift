// The inbox: what exists only in the sandbox. A page for people, and calls for tests.
//
// Everything below `/sandbox` needs no key. What changes something is PUT or DELETE, which no other
// site's page can send without being allowed to.

import Log
import Wire

extension SandboxService {
    /// The page, and what it is made of.
    func page(_ request: SandboxRequest) -> SandboxAnswer {
        guard request.method == "GET" else { return .methodNotAllowed("GET") }
        switch request.path {
        case "/sandbox/inbox.css":
            return file(PackageResources.inbox_css, "text/css; charset=utf-8")
        case "/sandbox/inbox.js":
            return file(PackageResources.inbox_js, "text/javascript; charset=utf-8")
        default: return file(PackageResources.inbox_html, "text/html; charset=utf-8")
        }
    }

    /// Nothing of a message can run in the page, or load anything from elsewhere.
    private func file(_ content: [UInt8], _ type: String) -> SandboxAnswer {
        var answer = SandboxAnswer(status: 200, json: content)
        answer.contentType = type
        answer.headers = [
            ("Cache-Control", "no-cache"), ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            (
                "Content-Security-Policy",
                "default-src 'none'; script-src 'self'; connect-src 'self'; "
                    + "style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-src 'self'; "
                    + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            ),
        ]
        return answer
    }

    /// Answers what lies below `/sandbox`.
    func respondToTest(_ request: SandboxRequest, _ body: [UInt8]) -> SandboxAnswer {
        switch request.path {
        case "/sandbox/inbox.css", "/sandbox/inbox.js": return page(request)
        case "/sandbox/stats":
            return request.method == "GET" ? statisticsAnswer() : .methodNotAllowed("GET")
        case "/sandbox/refusals":
            return request.method == "GET" ? listRefusals() : .methodNotAllowed("GET")
        case "/sandbox/chaos": return chaos(request, body)
        default: break
        }
        guard let path = request.segments(behind: "/sandbox/messages") else { return .notFound() }
        return path.isEmpty ? messages(request) : message(path, request)
    }

    private func messages(_ request: SandboxRequest) -> SandboxAnswer {
        switch request.method {
        case "GET": return listMessages(request)
        case "DELETE":
            store.removeAll()
            refusals.removeAll()
            return SandboxAnswer(status: 200, json: #"{"messages":[],"total":0}"#)
        default: return .methodNotAllowed("GET, DELETE")
        }
    }

    /// `<id>`, or `<id>/attachments/<n>` with n counted from 1.
    private func message(_ path: [String], _ request: SandboxRequest) -> SandboxAnswer {
        if path.count == 1, request.method == "DELETE" {
            return store.remove(path[0]) ? SandboxAnswer(status: 200, json: "{}") : .notFound()
        }
        guard request.method == "GET" else {
            return .methodNotAllowed(path.count == 1 ? "GET, DELETE" : "GET")
        }
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
        answer.headers = [
            ("X-Content-Type-Options", "nosniff"), ("Content-Security-Policy", "sandbox"),
            ("Content-Disposition", "attachment"),
        ]
        return answer
    }

    /// `GET /sandbox/messages?after=<number>&q=<text>`: oldest first. `first` is the oldest that is
    /// kept, whatever was asked for.
    private func listMessages(_ request: SandboxRequest) -> SandboxAnswer {
        var found = store.messages[...]
        if let text = request.value("after") {
            guard let after = Int(text) else { return .badRequest("after must be a number") }
            found = found.drop { $0.number <= after }
        }
        if let text = request.value("q"), !text.isEmpty {
            found = found.filter { contains($0, text.lowercased()) }[...]
        }
        var json = Array(#"{"messages":"#.utf8)
        json.append(jsonArray: found) { json, message in
            json.append(text: #"{"number":\#(message.number),"#)
            json.appendAttachments(of: message)
            json.append(text: #","bytes":\#(message.bodyBytes),"answer":{"status":"#)
            json.append(text: "\(message.answerStatus),\"body\":")
            json += message.answer
            json.append(text: "},")
            json.appendSummary(of: message)
        }
        json.append(text: #","total":\#(store.messages.count),"#)
        json.append(text: #""first":\#(store.messages.first?.number ?? 0)}"#)
        return SandboxAnswer(status: 200, json: json)
    }

    /// Whether `text`, in lower case, stands in an address, the subject, an attachment's name, or
    /// anywhere in the request as it was received.
    private func contains(_ message: SandboxMessage, _ text: String) -> Bool {
        let request = message.request
        let fields =
            [request.from, request.subject ?? ""] + request.recipients
            + request.attachments.map(\.filename)
        if fields.contains(where: { $0.lowercased().contains(text) }) { return true }
        guard let body = store.body(of: message) else { return false }
        return SandboxText.contains(body.span, Array(text.utf8))
    }

    private func listRefusals() -> SandboxAnswer {
        var json = Array(#"{"refusals":"#.utf8)
        json.append(jsonArray: refusals.list) { json, refusal in
            json.append(text: #"{"status":\#(refusal.status),"refused_at":""#)
            json.append(text: Timestamp.text(seconds: refusal.refusedAt, milliseconds: 0))
            json.append(text: #"","body":"#)
            json.append(jsonString: refusal.body)
            json.append(text: "}")
        }
        json.append(text: "}")
        return SandboxAnswer(status: 200, json: json)
    }

    /// Notes the answer to a send, if it is a refusal.
    func noteRefusal(_ answer: SandboxAnswer) {
        let isSilent = answer.delivery == .reset || answer.delivery == .never
        guard answer.status >= 400 || isSilent else { return }
        refusals.add(answer, at: SandboxText.unixTime())
    }

    private func chaos(_ request: SandboxRequest, _ body: [UInt8]) -> SandboxAnswer {
        switch request.method {
        case "GET": break
        case "PUT":
            guard let wanted = SandboxChaos(json: body.span) else {
                let names = SandboxChaos.kinds.map(\.name).joined(separator: ", ")
                return .badRequest("percentages of \(names), 100 at most in all")
            }
            chaos = wanted
        default: return .methodNotAllowed("GET, PUT")
        }
        return SandboxAnswer(status: 200, json: chaos.json)
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
