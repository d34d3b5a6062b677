// What the sandbox decides: from a request to an answer. No sockets in here.
//
// It sends each request to the part that answers it. A request that is sure to be refused is refused
// by its head alone: a bad key, an unknown path, a body that is too large by its announced length.

import HTTPServer
import Log
import Wire

/// The API, without HTTP framing. One for all connections, on the sandbox's thread.
final class SandboxService: HTTPService {
    let store: SandboxStore
    private let log: EventLog
    private let sends: SandboxSends
    private let lists: SandboxLists
    private let inbox: SandboxInbox
    private var statistics = SandboxStatistics()

    init(options: SandboxOptions, log: EventLog) {
        self.log = log
        store = SandboxStore(options: options)
        sends = SandboxSends(options: options, store: store, log: log)
        lists = SandboxLists(options: options, store: store)
        inbox = SandboxInbox(store: store)
    }

    // MARK: HTTPService

    func admit(_ request: HTTPRequest) -> HTTPAdmission { admit(SandboxRequest(request)) }

    func respond(
        to request: HTTPRequest, body: [UInt8], _ reply: @escaping (HTTPAnswer) -> Void
    ) {
        reply(respond(to: SandboxRequest(request), body: body))
    }

    func answer(to refusal: HTTPRefusal) -> HTTPAnswer {
        switch refusal {
        case .invalid(let status, let reason): .error(status, .text, reason)
        case .bodyTooLarge(let bytesMax): .tooLarge("request body exceeds \(bytesMax) bytes")
        case .tooManyUploads: .error(503, .text, "too many uploads at once")
        }
    }

    func finished(_ answer: HTTPAnswer, to request: HTTPRequest?) -> HTTPAnswer {
        statistics.answered(answer.status)
        let requestID = "req_" + SandboxText.randomHex(16)
        log.event(
            .debug, "sandbox-answer",
            [
                "method": request?.method ?? "", "path": request?.path ?? "",
                "status": String(answer.status), "request_id": requestID,
            ])
        var answer = answer
        answer.headers.insert(("X-Request-ID", requestID), at: 0)
        return answer
    }

    func note(_ event: HTTPEvent) {
        statistics.note(event)
        if case .decided(let answer, let request?) = event, request.path == "/v1/send" {
            inbox.noteRefusal(answer)
        }
    }

    // MARK: Decisions

    /// Decides on a request by its head alone.
    func admit(_ request: SandboxRequest) -> HTTPAdmission {
        statistics.requestBegan()
        if request.isForInbox {
            return .body(bytesMax: request.path == "/sandbox/chaos" ? 1_024 : 0)
        }
        guard let allowed = Self.method(of: request.path) else { return .answer(.notFound()) }
        guard request.method == allowed else { return .answer(.methodNotAllowed(allowed)) }
        guard let behaviour = SandboxBehaviour(key: request.key) else {
            return .answer(.unauthorized())
        }
        return allowed == "GET" ? .body(bytesMax: 0) : sends.admit(request, behaviour)
    }

    /// Answers a complete request that was admitted.
    func respond(to request: SandboxRequest, body: [UInt8]) -> HTTPAnswer {
        switch request.path {
        case "/sandbox/stats":
            return request.method == "GET"
                ? .object { statistics.write(accepted: store.acceptedCount, to: &$0) }
                : .methodNotAllowed("GET")
        case "/sandbox/chaos": return sends.chaos(request, body)
        default: break
        }
        if request.isForInbox { return inbox.answer(request) }
        guard let behaviour = SandboxBehaviour(key: request.key) else { return .unauthorized() }
        return request.path == "/v1/send"
            ? sends.send(body, behaviour) : lists.answer(request, behaviour)
    }

    /// The method that a path of the API has; nil for paths that it has not.
    private static func method(of path: String) -> String? {
        switch path {
        case "/v1/send": "POST"
        case "/v1/emails", "/v1/suppressions/check": "GET"
        default: nil
        }
    }
}
