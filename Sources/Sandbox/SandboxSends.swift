// `POST /v1/send`: which messages the sandbox accepts, and what it does to them on purpose.
//
// These decide, in this order: the key's behaviour and chaos, the sender's domain and its limits, the
// template, the recipients' domains.

import HTTPServer
import Log
import Wire

/// Takes messages. Belongs to the sandbox's thread.
final class SandboxSends {
    /// Addresses at flaky.test that are remembered; then all are forgotten.
    private static let flakyAddressesMax = 10_000

    private let slowMilliseconds: Int
    private let store: SandboxStore
    private let log: EventLog
    private var chaos: SandboxChaos
    private var warming = SandboxWarming()
    /// Addresses at flaky.test that were refused once.
    private var flakyAddresses: Set<String> = []

    init(options: SandboxOptions, store: SandboxStore, log: EventLog) {
        slowMilliseconds = options.slowMilliseconds
        chaos = options.chaos
        self.store = store
        self.log = log
    }

    /// Decides on a send by its head alone.
    func admit(_ request: SandboxRequest, _ behaviour: SandboxBehaviour) -> HTTPAdmission {
        guard request.mediaType == "application/json" else {
            return .answer(.error(415, .text, "Content-Type must be application/json"))
        }
        if behaviour.isRefusedByHead, let refusal = behaviour.send.refusal() {
            return .answer(refusal)
        }
        if case .length(let length) = request.framing, length > SandboxLimits.api.requestBytesMax {
            return .answer(.tooLarge("request body exceeds 80 MiB"))
        }
        return .body(bytesMax: SandboxLimits.api.requestBytesMax)
    }

    /// Answers a complete send, and keeps its message when it is accepted.
    func send(_ body: [UInt8], _ behaviour: SandboxBehaviour) -> HTTPAnswer {
        let behaviour = behaviour.meeting(chaos.effect(Int.random(in: 0..<100)))
        if let refusal = behaviour.send.refusal() { return refusal }
        switch SendRequest.parse(body) {
        case .invalid(let message): return .badRequest(message)
        case .tooLarge(let message): return .tooLarge(message)
        case .valid(let request):
            return refusal(for: request) ?? accept(request, body, behaviour)
        }
    }

    /// `GET` and `PUT /sandbox/chaos`.
    func chaos(_ request: SandboxRequest, _ body: [UInt8]) -> HTTPAnswer {
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
        return HTTPAnswer(status: 200, json: chaos.json)
    }

    /// `GET`, `POST` and `DELETE /sandbox/limits`.
    func limits(_ request: SandboxRequest, _ body: [UInt8]) -> HTTPAnswer {
        switch request.method {
        case "GET": break
        case "POST":
            guard let order = SandboxWarming.order(json: body.span) else {
                let kinds = SandboxLimit.Kind.allCases.map(\.rawValue).joined(separator: ", ")
                return .badRequest(
                    "give domain, limit_type (\(kinds)), limit, and perhaps window_seconds")
            }
            warming.set(order.window, of: order.domain)
        case "DELETE": warming.removeAll()
        default: return .methodNotAllowed("GET, POST, DELETE")
        }
        return HTTPAnswer(status: 200, json: warming.json)
    }

    /// What the sender's domain, the template and the recipients' domains make of a valid request.
    private func refusal(for request: SendRequest) -> HTTPAnswer? {
        if let refusal = senderRefusal(request) { return refusal }
        if let template = request.template, template.hasPrefix("unknown") {
            return .error(
                404, .nested, code: "template_not_found", "template \(template) not found")
        }
        return recipientRefusal(request.recipients.compactMap { SendAddress($0) })
    }

    private func senderRefusal(_ request: SendRequest) -> HTTPAnswer? {
        guard let domain = SendAddress(request.from).map(MagicAddress.senderDomain) else {
            return nil
        }
        if domain == "unverified.test" || warming.isUnknown(domain) {
            return .error(
                403, .coded, code: "domain_not_verified",
                "the sending domain \(domain) is not verified")
        }
        let now = SandboxText.unixTime()
        return warming.limit(of: domain, now: now)?.answer(now: now)
    }

    private func recipientRefusal(_ addresses: [SendAddress]) -> HTTPAnswer? {
        for address in addresses {
            let domain = MagicAddress.recipientDomain(address)
            switch domain {
            case "invalid.test":
                return .badRequest("recipient address \(address.address) is invalid")
            case "down.test":
                return .error(503, .text, "service unavailable")
            case "flaky.test" where isFirst(String(address.address)):
                return .error(503, .text, "service unavailable, try again")
            default:
                if let refusal = SandboxEffect(domain: domain)?.refusal() { return refusal }
            }
        }
        if addresses.allSatisfy({ MagicAddress.recipientDomain($0) == "suppressed.test" }) {
            return .error(
                422, .coded, code: "all_recipients_suppressed",
                "all recipients are on the suppression list")
        }
        return nil
    }

    private func isFirst(_ address: String) -> Bool {
        if flakyAddresses.count == Self.flakyAddressesMax { flakyAddresses = [] }
        return flakyAddresses.insert(address).inserted
    }

    private func accept(
        _ request: SendRequest, _ body: [UInt8], _ behaviour: SandboxBehaviour
    ) -> HTTPAnswer {
        let message: SandboxMessage
        let effect = Self.effect(on: request, behaviour)
        let status = effect == .created ? 201 : 202
        do throws(SandboxFolderError) {
            message = try store.add(
                request, body: body, isTest: behaviour.isTest, answerStatus: status)
        } catch {
            log.event(.error, "sandbox-store-failed", ["reason": error.description])
            return .error(500, .text, "the sandbox cannot store the message")
        }
        if let domain = SendAddress(request.from).map(MagicAddress.senderDomain) {
            warming.count(domain, now: SandboxText.unixTime())
        }
        var answer = HTTPAnswer(status: status, json: message.answer)
        answer.closes = effect == .closing
        switch effect {
        case .slow: answer.delivery = .after(milliseconds: slowMilliseconds)
        case .late(let seconds): answer.delivery = .after(milliseconds: seconds * 1_000)
        case .lost: answer.delivery = .reset
        default: break
        }
        return answer
    }

    /// How an accepted message is answered: as the key says, else as a recipient says.
    private static func effect(
        on request: SendRequest, _ behaviour: SandboxBehaviour
    ) -> SandboxEffect {
        guard behaviour.send == .accept else { return behaviour.send }
        let effects = request.recipients.lazy.compactMap {
            SendAddress($0).flatMap { SandboxEffect(domain: MagicAddress.recipientDomain($0)) }
        }
        return effects.first ?? .accept
    }
}
