// Errors that can be asked for by name and shape: by a key (`ps_test_send_403-plan_coded`) and by a
// recipient's domain (`403-plan.coded.test`).
//
// One table for both, so that each status exists in each shape. docs/sandbox.md lists the names; a
// test compares them.

import HTTPServer

/// One error of the table in one shape.
struct SandboxError: Equatable {
    /// The names, and what the API says. The number is the status.
    static let table: [(name: String, code: String, message: String)] = [
        ("400", "invalid_request", "the request is invalid"),
        ("401", "unauthorized", "invalid or revoked API key"),
        ("402", "payment_required", "payment required: the last invoice is open"),
        ("403", "forbidden", "this API key is not permitted to do this"),
        ("403-plan", "plan_limit_reached", "plan limit reached"),
        ("403-domain", "domain_not_verified", "the sending domain is not verified"),
        ("404", "not_found", "not found"),
        ("408", "request_timeout", "the request took too long"),
        ("409", "conflict", "the request conflicts with another one"),
        ("413", "request_too_large", "request body exceeds the maximum size"),
        ("422", "all_recipients_suppressed", "all recipients are on the suppression list"),
        ("429", "rate_limit_exceeded", "per_minute sending limit exceeded"),
        ("500", "internal_error", "internal server error"),
        ("502", "bad_gateway", "bad gateway"),
        ("503", "unavailable", "service unavailable"),
    ]

    let name: String
    let shape: SandboxErrorShape
    private let code: String
    private let message: String

    /// - Returns: nil for names that there are not.
    init?(_ name: Substring, _ shape: Substring) {
        guard let entry = Self.table.first(where: { $0.name == name }),
            let shape = SandboxErrorShape(rawValue: String(shape))
        else { return nil }
        self.name = entry.name
        self.shape = shape
        code = entry.code
        message = entry.message
    }

    /// An error of the table, for the sandbox's own tables.
    static func named(_ name: Substring, _ shape: SandboxErrorShape) -> SandboxError {
        guard let error = SandboxError(name, Substring(shape.rawValue)) else {
            preconditionFailure("the sandbox's own table names an unknown error")
        }
        return error
    }

    private var status: Int { Int(name.prefix(3)) ?? 500 }

    /// - Parameter now: seconds since 1970.
    func answer(now: Int) -> HTTPAnswer {
        guard status == 429 else { return .error(status, shape, code: code, message) }
        switch shape {
        case .coded: return SandboxLimit.key.answer(now: now)
        case .text, .nested:
            var answer = HTTPAnswer.error(status, shape, code: code, message)
            answer.headers.append(("Retry-After", String(SandboxLimit.key.waitSeconds)))
            return answer
        case .page, .foreign: return .error(status, shape, code: code, message)
        }
    }
}
