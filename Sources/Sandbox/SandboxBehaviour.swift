// The magic keys: the name of a key tells what the sandbox does with it.
//
// `ps_live_…` and `ps_test_…` are valid, anything else is refused. A name from the table below,
// alone or with a further `_suffix` (so that a test can have a fresh key), makes things go wrong in
// one way. docs/sandbox.md shows the same table; a test compares them.

import HTTPServer
import Wire

/// What happens to a request that is made with a key.
enum SandboxEffect: Equatable {
    case accept
    /// 401
    case revoked
    /// 403
    case forbidden
    /// 429
    case limited(SandboxLimit)
    /// 503
    case down
    /// 500
    case broken
    /// 502 with an HTML body, as a load balancer writes it.
    case badGateway
    /// 400
    case invalid
    /// 409
    case conflict
    /// 413 as soon as the head is there.
    case tooLarge
    /// Accepted, but answered late.
    case slow
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
}

/// The kinds of a rate limit.
enum SandboxLimit: Equatable {
    case daily, hourly, minute
    /// `Retry-After` as a date, and no seconds in the body.
    case date
}

/// What a key may do.
struct SandboxBehaviour: Equatable {
    /// Effect on every request but a send: the key check among them.
    var read: SandboxEffect
    /// Effect on `POST /v1/send`.
    var send: SandboxEffect
    /// `ps_test_…`: nothing is delivered, the status is `simulated`.
    var isTest: Bool

    /// Names after `ps_test_`; of two that fit, the longer one counts.
    static let table: [(name: String, read: SandboxEffect, send: SandboxEffect)] = [
        ("revoked", .revoked, .revoked),
        ("revoked_later", .accept, .revoked),
        ("forbidden", .accept, .forbidden),
        ("sendonly", .forbidden, .accept),
        ("limited", .accept, .limited(.daily)),
        ("limited_hourly", .accept, .limited(.hourly)),
        ("limited_minute", .accept, .limited(.minute)),
        ("limited_date", .accept, .limited(.date)),
        ("auth_limited", .limited(.minute), .accept),
        ("down", .accept, .down),
        ("auth_down", .down, .down),
        ("auth_hang", .hang, .accept),
        ("auth_slow", .slow, .accept),
        ("gateway", .accept, .badGateway),
        ("invalid", .accept, .invalid),
        ("conflict", .accept, .conflict),
        ("toolarge", .accept, .tooLarge),
        ("slow", .accept, .slow),
        ("created", .accept, .created),
        ("closing", .accept, .closing),
        ("garbage", .accept, .garbage),
        ("reset", .accept, .reset),
        ("hang", .accept, .hang),
    ]

    /// The behaviour of `key`; nil when it has not the form of Postscale's keys.
    init?(key: [UInt8]?) {
        guard let key, key.count <= 512, key.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return nil
        }
        let text = String(decoding: key, as: UTF8.self)
        if text.hasPrefix("ps_live_"), text.count > 8 {
            self.init(read: .accept, send: .accept, isTest: false)
            return
        }
        guard text.hasPrefix("ps_test_"), text.count > 8 else { return nil }
        let name = text.dropFirst(8)
        let fitting = Self.table.filter { name == $0.name || name.hasPrefix($0.name + "_") }
        let entry = fitting.max { $0.name.count < $1.name.count }
        self.init(read: entry?.read ?? .accept, send: entry?.send ?? .accept, isTest: true)
    }

    init(read: SandboxEffect, send: SandboxEffect, isTest: Bool) {
        self.read = read
        self.send = send
        self.isTest = isTest
    }
}

extension SandboxEffect {
    /// The answer that this effect gives in place of the ordinary one; nil for the effects that
    /// accept the request (and change at most how they are answered).
    func refusal() -> HTTPAnswer? {
        switch self {
        case .accept, .slow, .created, .closing: return nil
        case .revoked: return .unauthorized()
        case .forbidden:
            return .error(
                403, .coded, code: "forbidden", "this API key is not permitted to do this")
        case .limited(let limit): return limit.answer(now: SandboxText.unixTime())
        case .down: return .error(503, .text, "service unavailable")
        case .broken: return .error(500, .text, "internal server error")
        case .badGateway:
            return HTTPAnswer(
                status: 502, contentType: "text/html",
                body: Array("<html><h1>502 Bad Gateway</h1></html>\n".utf8))
        case .invalid: return .badRequest("the request is invalid: asked for by the API key")
        case .conflict:
            return .error(409, .coded, code: "conflict", "the request conflicts with another one")
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

extension SandboxLimit {
    /// The documented body of a 429, and `Retry-After`.
    fileprivate func answer(now: Int) -> HTTPAnswer {
        let (kind, limit, seconds) =
            switch self {
            case .daily, .date: ("daily", 1_500, 3_600)
            case .hourly: ("hourly", 200, 600)
            case .minute: ("per_minute", 60, 30)
            }
        let json = JSONDocument.object {
            $0.field("error", "rate_limit_exceeded")
            $0.field("message", "\(kind) sending limit exceeded")
            $0.field("limit_type", kind)
            $0.field("limit", limit)
            $0.field("used", limit)
            if self != .date { $0.field("retry_after_seconds", seconds) }
            $0.field("warming_phase", "phase_1")
        }
        var answer = HTTPAnswer(status: 429, json: json)
        let after = self == .date ? SandboxText.httpDate(now + seconds) : String(seconds)
        answer.headers.append(("Retry-After", after))
        return answer
    }
}
