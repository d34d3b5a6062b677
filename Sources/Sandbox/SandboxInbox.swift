// The inbox: what exists only in the sandbox. A page for people, and calls for tests.
//
// Everything below `/sandbox` needs no key. What changes something is PUT or DELETE, which the page
// of another site cannot send without permission.

import HTTPServer
import Log
import Wire

/// Shows the accepted messages and the last refusals. Belongs to the sandbox's thread.
final class SandboxInbox {
    private let store: SandboxStore
    private var refusals = SandboxRefusals()

    init(store: SandboxStore) { self.store = store }

    /// Answers `/` and what lies below `/sandbox`.
    func answer(_ request: SandboxRequest) -> HTTPAnswer {
        switch request.path {
        case "/", "/sandbox/inbox.css", "/sandbox/inbox.js": return page(request)
        case "/sandbox/refusals":
            return request.method == "GET" ? listRefusals() : .methodNotAllowed("GET")
        default: break
        }
        guard let path = request.segments(below: "/sandbox/messages") else { return .notFound() }
        return path.isEmpty ? messages(request) : message(path, request)
    }

    /// Notes the answer to a send, if it is a refusal.
    func noteRefusal(_ answer: HTTPAnswer) {
        guard answer.status >= 400 else { return }
        refusals.add(answer, at: SandboxText.unixTime())
    }

    // MARK: The page

    private func page(_ request: SandboxRequest) -> HTTPAnswer {
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
    private func file(_ content: [UInt8], _ type: String) -> HTTPAnswer {
        var answer = HTTPAnswer(status: 200, contentType: type, body: content)
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

    // MARK: Messages

    private func messages(_ request: SandboxRequest) -> HTTPAnswer {
        switch request.method {
        case "GET": return listMessages(request)
        case "DELETE":
            store.removeAll()
            refusals.removeAll()
            return HTTPAnswer(status: 200, json: #"{"messages":[],"total":0}"#)
        default: return .methodNotAllowed("GET, DELETE")
        }
    }

    /// `<id>`, or `<id>/attachments/<n>` with n counted from 1.
    private func message(_ path: [String], _ request: SandboxRequest) -> HTTPAnswer {
        if path.count == 1, request.method == "DELETE" {
            return store.remove(path[0]) ? HTTPAnswer(status: 200, json: "{}") : .notFound()
        }
        guard request.method == "GET" else {
            return .methodNotAllowed(path.count == 1 ? "GET, DELETE" : "GET")
        }
        guard let message = store.message(path[0]) else { return .notFound() }
        if path.count == 1 {
            guard let body = store.body(of: message) else { return .notFound() }
            return HTTPAnswer(status: 200, json: body)
        }
        guard path.count == 3, path[1] == "attachments", let number = Int(path[2]), number > 0,
            let content = store.attachment(number - 1, of: message)
        else { return .notFound() }
        var answer = HTTPAnswer(status: 200, json: content)
        answer.contentType = "application/octet-stream"
        answer.headers = [
            ("X-Content-Type-Options", "nosniff"), ("Content-Security-Policy", "sandbox"),
            ("Content-Disposition", "attachment"),
        ]
        return answer
    }

    /// `GET /sandbox/messages?after=<number>&q=<text>`: oldest first. `first` is the oldest that is
    /// kept, whatever was asked for.
    private func listMessages(_ request: SandboxRequest) -> HTTPAnswer {
        var found = store.messages[...]
        if let text = request.value("after") {
            guard let after = Int(text) else { return .badRequest("after must be a number") }
            found = found.drop { $0.number <= after }
        }
        if let text = request.value("q"), !text.isEmpty {
            found = found.filter { contains($0, text.lowercased()) }[...]
        }
        return .object {
            $0.array("messages") { list in
                for message in found { list.object { Self.write(message, to: &$0) } }
            }
            $0.field("total", store.messages.count)
            $0.field("first", store.messages.first?.number ?? 0)
        }
    }

    private static func write(_ message: SandboxMessage, to json: inout JSONDocument) {
        json.field("number", message.number)
        json.array("attachments") { list in
            for attachment in message.request.attachments {
                list.object {
                    $0.field("filename", attachment.filename)
                    $0.field("content_type", attachment.contentType)
                    $0.field("bytes", attachment.decodedBytes)
                }
            }
        }
        json.field("bytes", message.bodyBytes)
        json.object("answer") {
            $0.field("status", message.answerStatus)
            $0.field("body", json: message.answer)
        }
        message.writeSummary(to: &json)
    }

    /// Whether an address, the subject, the name of an attachment, or the request as it was received
    /// contains `text`, which is in lower case.
    private func contains(_ message: SandboxMessage, _ text: String) -> Bool {
        let request = message.request
        let fields =
            [request.from, request.subject ?? ""] + request.recipients
            + request.attachments.map(\.filename)
        if fields.contains(where: { $0.lowercased().contains(text) }) { return true }
        guard let body = store.body(of: message) else { return false }
        return SandboxText.contains(body.span, Array(text.utf8))
    }

    private func listRefusals() -> HTTPAnswer {
        .object {
            $0.array("refusals") { list in
                for refusal in refusals.list {
                    list.object {
                        $0.field("status", refusal.status)
                        $0.field(
                            "refused_at",
                            Timestamp.text(seconds: refusal.refusedAt, milliseconds: 0))
                        $0.field("body", refusal.body)
                    }
                }
            }
        }
    }
}
