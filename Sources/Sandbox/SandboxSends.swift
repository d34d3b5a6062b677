// `POST /v1/send`: which messages the sandbox accepts, and what it does to them on purpose.
//
// Three things decide: the key's behaviour, chaos, and the magic domains of sender and recipients.

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
        if behaviour.send == .tooLarge || behaviour.send == .revoked,
            let refusal = behaviour.send.refusal()
        {
            return .answer(refusal)
        }
        if case .length(let length) = request.framing, length > SandboxLimits.api.requestBytesMax {
            return .answer(.tooLarge("request body exceeds 80 MiB"))
        }
        return .body(bytesMax: SandboxLimits.api.requestBytesMax)
    }

    /// Answers a complete send, and keeps its message when it is accepted.
    func send(_ body: [UInt8], _ behaviour: SandboxBehaviour) -> HTTPAnswer {
        var behaviour = behaviour
        if behaviour.send == .accept, let effect = chaos.effect(Int.random(in: 0..<100)) {
            behaviour.send = effect
        }
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

    /// What the magic domains of the sender and the recipients make of a valid request.
    private func refusal(for request: SendRequest) -> HTTPAnswer? {
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
        if flakyAddresses.count == Self.flakyAddressesMax { flakyAddresses = [] }
        return flakyAddresses.insert(address).inserted
    }

    private func accept(
        _ request: SendRequest, _ body: [UInt8], _ behaviour: SandboxBehaviour
    ) -> HTTPAnswer {
        let message: SandboxMessage
        let status = behaviour.send == .created ? 201 : 202
        do throws(SandboxFolderError) {
            message = try store.add(
                request, body: body, isTest: behaviour.isTest, answerStatus: status)
        } catch {
            log.event(.error, "sandbox-store-failed", ["reason": error.description])
            return .error(500, .text, "the sandbox cannot store the message")
        }
        var answer = HTTPAnswer(status: status, json: message.answer)
        answer.closes = behaviour.send == .closing
        if behaviour.send == .slow { answer.delivery = .after(milliseconds: slowMilliseconds) }
        return answer
    }
}
