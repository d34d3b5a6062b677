// A rate limit as a 429 tells it: kind, figures, time to wait.

import HTTPServer
import Wire

/// A limit that a send has met.
struct SandboxLimit: Equatable {
    /// By the names that the API has for them.
    enum Kind: String, CaseIterable {
        case daily, hourly
        case minute = "per_minute"

        /// After which a limit of this kind usually begins anew.
        var seconds: Int {
            switch self {
            case .daily: 86_400
            case .hourly: 3_600
            case .minute: 60
            }
        }
    }

    let kind: Kind
    let limit: Int
    /// Seconds until the limit ends.
    let waitSeconds: Int
    /// Whether it belongs to a sending domain that warms up; else it is the key's.
    var isWarming = true
    /// `Retry-After` is a date, and the body has no seconds.
    var hasDate = false

    static let daily = SandboxLimit(kind: .daily, limit: 1_500, waitSeconds: 3_600)
    static let hourly = SandboxLimit(kind: .hourly, limit: 200, waitSeconds: 600)
    static let minute = SandboxLimit(kind: .minute, limit: 60, waitSeconds: 30)
    static let brief = SandboxLimit(kind: .minute, limit: 60, waitSeconds: 1)
    static let key = SandboxLimit(kind: .minute, limit: 60, waitSeconds: 30, isWarming: false)
    static let date = SandboxLimit(kind: .daily, limit: 1_500, waitSeconds: 3_600, hasDate: true)

    /// The documented body of a 429, and `Retry-After`.
    /// - Parameter now: seconds since 1970.
    func answer(now: Int) -> HTTPAnswer {
        let json = JSONDocument.object {
            $0.field("error", "rate_limit_exceeded")
            $0.field("message", "\(kind.rawValue) sending limit exceeded")
            $0.field("limit_type", kind.rawValue)
            $0.field("limit", limit)
            $0.field("used", limit)
            if !hasDate { $0.field("retry_after_seconds", waitSeconds) }
            if isWarming { $0.field("warming_phase", "phase_1") }
        }
        var answer = HTTPAnswer(status: 429, json: json)
        let after = hasDate ? SandboxText.httpDate(now + waitSeconds) : String(waitSeconds)
        answer.headers.append(("Retry-After", after))
        return answer
    }
}
