// The answers that the sandbox gives again and again: JSON, and errors in the API's shapes.
//
// The API's errors come in three shapes, and a client must read all of them, so the sandbox uses
// all three, each in its own places: `.text` for keys, paths and outages; `.coded` for decisions
// about an account (403, 413, 422, 429); `.nested` for what is wrong with a request (400, and 404
// for a template). The other two shapes are of something in front of the API.

import HTTPServer
import Wire

/// The three shapes of the API's error bodies, and two that are not the API's.
enum SandboxErrorShape: String, CaseIterable {
    /// `{"error":"text"}`
    case text
    /// `{"error":"code","message":"text"}`
    case coded
    /// `{"error":{"code":"…","message":"…"}}`
    case nested
    /// An HTML page, as a load balancer or a filter writes it.
    case page
    /// `{"message":"text"}`: JSON, but not the API's.
    case foreign

    /// The `Server` of what is in front of the API; nil for the API itself.
    fileprivate var server: String? {
        switch self {
        case .text, .coded, .nested: nil
        case .page, .foreign: "nginx"
        }
    }
}

extension HTTPAnswer {
    /// An answer with a JSON body.
    init(status: Int, json: [UInt8]) {
        self.init(status: status, contentType: "application/json", body: json)
    }

    /// An answer whose JSON body is written out.
    init(status: Int, json: String) { self.init(status: status, json: Array(json.utf8)) }

    /// An answer with status 200 whose body is a JSON object.
    static func object(_ fill: (inout JSONDocument) -> Void) -> HTTPAnswer {
        HTTPAnswer(status: 200, json: JSONDocument.object(fill))
    }

    /// An error in one of the shapes.
    static func error(
        _ status: Int, _ shape: SandboxErrorShape, code: String = "", _ message: String
    ) -> HTTPAnswer {
        var answer =
            shape == .page
            ? page(status, message) : json(status, shape, code: code, message)
        if let server = shape.server { answer.headers.append(("Server", server)) }
        return answer
    }

    private static func page(_ status: Int, _ message: String) -> HTTPAnswer {
        let html =
            "<html><head><title>\(status)</title></head><body><h1>\(message)</h1></body></html>\n"
        return HTTPAnswer(status: status, contentType: "text/html", body: Array(html.utf8))
    }

    private static func json(
        _ status: Int, _ shape: SandboxErrorShape, code: String, _ message: String
    ) -> HTTPAnswer {
        HTTPAnswer(
            status: status,
            json: JSONDocument.object { json in
                switch shape {
                case .text: json.field("error", message)
                case .foreign, .page: json.field("message", message)
                case .coded:
                    json.field("error", code)
                    json.field("message", message)
                case .nested:
                    json.object("error") {
                        $0.field("code", code)
                        $0.field("message", message)
                    }
                }
            })
    }

    static func badRequest(_ message: String) -> HTTPAnswer {
        .error(400, .nested, code: "invalid_request", message)
    }

    static func unauthorized() -> HTTPAnswer {
        .error(401, .text, "invalid or revoked API key")
    }

    static func tooLarge(_ message: String) -> HTTPAnswer {
        .error(413, .coded, code: "request_too_large", message)
    }

    static func notFound() -> HTTPAnswer { .error(404, .text, "not found") }

    static func methodNotAllowed(_ allowed: String) -> HTTPAnswer {
        var answer = HTTPAnswer.error(405, .text, "method not allowed")
        answer.headers.append(("Allow", allowed))
        return answer
    }
}
