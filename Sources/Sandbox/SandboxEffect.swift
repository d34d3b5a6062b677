// What the sandbox does to a request on purpose: the effects that keys, recipients and chaos name.

import HTTPServer

/// What happens to a request.
enum SandboxEffect: Equatable {
    case accept
    /// An error by name, in one of the shapes.
    case error(SandboxError)
    /// 429
    case limited(SandboxLimit)
    /// 400 that blames the key.
    case invalid
    /// 413 as soon as the head is there.
    case tooLarge
    /// Accepted, but answered after `SandboxOptions.slowMilliseconds`.
    case slow
    /// Accepted, but answered after so many seconds.
    case late(seconds: Int)
    /// Accepted, but the connection is reset in place of the answer.
    case lost
    /// Accepted with 201 instead of 202.
    case created
    /// Accepted, and the connection is closed after the answer.
    case closing
    /// A 202 whose body is no JSON.
    case garbage
    /// The connection is reset once the body is there.
    case reset
    /// No answer, ever.
    case hang

    /// 401
    static let revoked = Self.error(.named("401", .text))
    /// 403
    static let forbidden = Self.error(.named("403", .coded))
    /// 409
    static let conflict = Self.error(.named("409", .coded))
    /// 500
    static let broken = Self.error(.named("500", .text))
    /// 502 with an HTML body, as a load balancer writes it.
    static let badGateway = Self.error(.named("502", .page))
    /// 503
    static let down = Self.error(.named("503", .text))

    /// The longest time that a recipient's domain may ask for.
    static let lateSecondsMax = 600

    /// What a recipient's domain asks for: `lost.test`, `70s.late.test`, `403-plan.coded.test`.
    /// - Parameter domain: lower case.
    /// - Returns: nil for all other domains.
    init?(domain: String) {
        if domain == "lost.test" {
            self = .lost
            return
        }
        let labels = domain.split(separator: ".", omittingEmptySubsequences: false)
        guard labels.count == 3, labels[2] == "test" else { return nil }
        if labels[1] == "late" {
            guard labels[0].hasSuffix("s"), let seconds = SandboxText.number(labels[0].dropLast()),
                seconds <= Self.lateSecondsMax
            else { return nil }
            self = .late(seconds: seconds)
        } else {
            guard let error = SandboxError(labels[0], labels[1]) else { return nil }
            self = .error(error)
        }
    }

    /// The answer that this effect gives in place of the ordinary one; nil for the effects that
    /// accept the request (and change at most how they are answered).
    func refusal() -> HTTPAnswer? {
        switch self {
        case .accept, .slow, .late, .lost, .created, .closing: return nil
        case .error(let error): return error.answer(now: SandboxText.unixTime())
        case .limited(let limit): return limit.answer(now: SandboxText.unixTime())
        case .invalid: return .badRequest("the request is invalid: asked for by the API key")
        case .tooLarge: return .tooLarge("request body exceeds the maximum size")
        case .garbage: return HTTPAnswer(status: 202, json: #"{"message_id": oops"#)
        case .reset: return silent(.reset)
        case .hang: return silent(.never)
        }
    }

    private func silent(_ delivery: HTTPAnswer.Delivery) -> HTTPAnswer {
        var answer = HTTPAnswer(status: 500, json: "")
        answer.delivery = delivery
        return answer
    }
}
