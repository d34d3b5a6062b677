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
    private let guardian: HTTPGuard
    private var turns = SandboxTurns()
    private var statistics = SandboxStatistics()

    init(options: SandboxOptions, log: EventLog) {
        self.log = log
        store = SandboxStore(options: options)
        sends = SandboxSends(options: options, store: store, log: log)
        lists = SandboxLists(options: options, store: store)
        inbox = SandboxInbox(store: store)
        guardian = HTTPGuard(hostname: options.hostname)
    }

    // MARK: HTTPService

    func admit(_ request: HTTPRequest) -> HTTPAdmission {
        statistics.requestBegan()
        let taken = SandboxRequest(request)
        let fault =
            guardian.fault(of: request)
            ?? (taken.isForInbox ? HTTPGuard.callFault(of: request) : nil)
        if let fault { return .answer(.error(fault.status, .text, fault.reason)) }
        return admit(taken)
    }

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
        // What is in front of the API knows nothing of its requests.
        if answer.headers.contains(where: { $0.name == "Server" }) { return answer }
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
        if request.isForInbox {
            let hasBody = request.path == "/sandbox/chaos" || request.path == "/sandbox/limits"
            return .body(bytesMax: hasBody ? 1_024 : 0)
        }
        guard let allowed = Self.method(of: request.path) else { return .answer(.notFound()) }
        guard request.method == allowed else { return .answer(.methodNotAllowed(allowed)) }
        guard let behaviour = behaviour(of: request) else { return .answer(.unauthorized()) }
        if allowed == "GET" { return .body(bytesMax: 0) }
        let admission = sends.admit(request, behaviour)
        if case .answer = admission { count(request, behaviour) }
        return admission
    }

    /// Answers a complete request that was admitted.
    func respond(to request: SandboxRequest, body: [UInt8]) -> HTTPAnswer {
        switch request.path {
        case "/sandbox/stats":
            return request.method == "GET"
                ? .object { statistics.write(accepted: store.acceptedCount, to: &$0) }
                : .methodNotAllowed("GET")
        case "/sandbox/chaos": return sends.chaos(request, body)
        case "/sandbox/limits": return sends.limits(request, body)
        default: break
        }
        if request.isForInbox { return inbox.answer(request) }
        guard let behaviour = behaviour(of: request) else { return .unauthorized() }
        count(request, behaviour)
        return request.path == "/v1/send"
            ? sends.send(body, behaviour) : lists.answer(request, behaviour)
    }

    /// What the request's key does now; nil for a key that is not valid.
    private func behaviour(of request: SandboxRequest) -> SandboxBehaviour? {
        SandboxBehaviour(key: request.key)?.turn(request.key.map(turns.count) ?? 0)
    }

    private func count(_ request: SandboxRequest, _ behaviour: SandboxBehaviour) {
        guard let key = request.key, behaviour.hasTurns,
            behaviour.countsReads != (request.path == "/v1/send")
        else { return }
        turns.add(key)
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
