// What the sandbox decides: from a request head and a body to an answer. No sockets in here.
//
// `admit` is asked when the head is there and may answer early (a bad key, an unknown path, a body
// that is too large, by its announced length); `respond` is asked when the body is complete. One
// service for all connections, on the sandbox's thread.

import Log
import Wire

/// What the sandbox has seen; `GET /sandbox/stats` shows it.
struct SandboxStatistics {
    var connections = 0
    var connectionsOpen = 0
    var requests = 0
    /// Requests whose connection ended inside them; nothing came of them.
    var incomplete = 0
    var accepted = 0
    /// Answers with a status of 400 and above.
    var refused = 0
    var bodyBytes = 0
}

/// The API, without HTTP framing.
final class SandboxService {
    enum Admission {
        /// Read the body, at most so many bytes, then call `respond`.
        case body(bytesMax: Int)
        /// Answer this; the body is of no interest.
        case answer(SandboxAnswer)
    }

    let options: SandboxOptions
    let log: EventLog
    var store: SandboxStore
    var refusals = SandboxRefusals()
    var chaos: SandboxChaos
    var statistics = SandboxStatistics()
    /// Body bytes of requests that are still arriving, over all connections.
    var uploadBytes = 0
    private var flakyAddresses: Set<String> = []

    init(options: SandboxOptions, log: EventLog) {
        self.options = options
        self.log = log
        store = SandboxStore(options: options)
        chaos = options.chaos
    }

    /// Decides on a request by its head alone.
    func admit(_ request: SandboxRequest) -> Admission {
        statistics.requests += 1
        if request.segments(behind: "/sandbox") != nil || request.path == "/" {
            return .body(bytesMax: request.path == "/sandbox/chaos" ? 1_024 : 0)
        }
        guard let allowed = Self.method(of: request.path) else { return .answer(.notFound()) }
        guard request.method == allowed else { return .answer(.methodNotAllowed(allowed)) }
        guard let behaviour = SandboxBehaviour(key: request.key) else {
            return .answer(.unauthorized())
        }
        if allowed == "GET" { return .body(bytesMax: 0) }
        return admitSend(request, behaviour)
    }

    /// Answers a complete request that was admitted.
    func respond(to request: SandboxRequest, body: [UInt8]) -> SandboxAnswer {
        if request.path == "/" { return page(request) }
        if request.segments(behind: "/sandbox") != nil { return respondToTest(request, body) }
        guard let behaviour = SandboxBehaviour(key: request.key) else { return .unauthorized() }
        if request.path == "/v1/send" { return send(body, behaviour) }
        if let refusal = behaviour.read.refusal() { return refusal }
        var answer =
            request.path == "/v1/emails" ? listEmails(request) : checkSuppression(request)
        if behaviour.read == .slow {
            answer.delivery = .after(milliseconds: options.slowMilliseconds)
        }
        return answer
    }

    /// The method that a path of the API has; nil for paths that it has not.
    private static func method(of path: String) -> String? {
        switch path {
        case "/v1/send": "POST"
        case "/v1/emails", "/v1/suppressions/check": "GET"
        default: nil
        }
    }

    private func admitSend(_ request: SandboxRequest, _ behaviour: SandboxBehaviour) -> Admission {
        guard request.mediaType == "application/json" else {
            return .answer(.error(415, .text, "Content-Type must be application/json"))
        }
        if behaviour.send == .tooLarge || behaviour.send == .revoked {
            return .answer(behaviour.send.refusal()!)
        }
        if case .length(let length) = request.framing, length > SandboxLimits.api.requestBytesMax {
            return .answer(.tooLarge("request body exceeds 80 MiB"))
        }
        return .body(bytesMax: SandboxLimits.api.requestBytesMax)
    }

    // MARK: POST /v1/send

    private func send(_ body: [UInt8], _ behaviour: SandboxBehaviour) -> SandboxAnswer {
        var behaviour = behaviour
        if behaviour.send == .accept, let effect = chaos.effect(Int.random(in: 0..<100)) {
            behaviour.send = effect
        }
        if let refusal = behaviour.send.refusal() { return refusal }
        switch SendRequest.parse(body) {
        case .invalid(let message):
            return .badRequest(message)
        case .tooLarge(let message):
            return .tooLarge(message)
        case .valid(let request):
            return refusal(for: request) ?? accept(request, body, behaviour)
        }
    }

    /// What the magic domains of the sender and the recipients make of a valid request.
    private func refusal(for request: SendRequest) -> SandboxAnswer? {
        if let domain = SendAddress(request.from)?.domain, domain == "unverified.test" {
            return .error(
                403, .coded, code: "domain_not_verified",
                "the sending domain \(domain) is not verified")
        }
        let addresses = request.recipients.compactMap { SendAddress($0) }
        for address in addresses {
            switch address.domain {
            case "invalid.test":
                return .badRequest("recipient address \(address.address) is invalid")
            case "down.test":
                return .error(503, .text, "service unavailable")
            case "flaky.test" where isFirst(String(address.address)):
                return .error(503, .text, "service unavailable, try again")
            default: break
            }
        }
        if addresses.allSatisfy({ $0.domain == "suppressed.test" }) {
            return .error(
                422, .coded, code: "all_recipients_suppressed",
                "all recipients are on the suppression list")
        }
        return nil
    }

    private func isFirst(_ address: String) -> Bool {
        if flakyAddresses.count == 10_000 { flakyAddresses = [] }
        return flakyAddresses.insert(address).inserted
    }

    private func accept(_ request: SendRequest, _ body: [UInt8], _ behaviour: SandboxBehaviour)
        -> SandboxAnswer
    {
        let message: SandboxMessage
        let status = behaviour.send == .created ? 201 : 202
        do throws(SandboxFolderError) {
            message = try store.add(
                request, body: body, isTest: behaviour.isTest, answerStatus: status)
        } catch {
            log.event(.error, "sandbox-store-failed", ["reason": error.description])
            return .error(500, .text, "the sandbox cannot store the message")
        }
        statistics.accepted += 1
        var answer = SandboxAnswer(status: status, json: message.answer)
        answer.closes = behaviour.send == .closing
        if behaviour.send == .slow {
            answer.delivery = .after(milliseconds: options.slowMilliseconds)
        }
        return answer
    }
}
