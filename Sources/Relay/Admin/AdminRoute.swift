// Which request means what: the table of the admin listener.

import Logging
import Wire

/// What a request asks for.
package enum AdminRoute: Equatable {
    case metrics, health, readiness
    case statusPage, statusJSON
    /// At most so many sessions of each loop.
    case sessions(isJSON: Bool, limit: Int)
    /// At most so many keys, those that hold most.
    case accounts(limit: Int)
    case logLevel
    case call(AdminCall)
    case index
    /// The path takes only these methods.
    case wrongMethod(allowed: String)
    case badQuery(String)
    case notFound

    /// Sessions of each loop that are listed without `?limit=`, and the most that may be asked for:
    /// a loop writes them down between two turns.
    package static let sessionsUsual = 500
    package static let sessionsMax = 10_000
    /// Keys that are listed without `?limit=`, and the most that may be asked for.
    package static let accountsMax = 50

    /// The longest body of a call.
    package static let bodyBytesMax = 1_024
    /// Whether a request is a call, which only a POST with JSON and `HTTPGuard.callField` can be.
    package static func isCall(_ request: HTTPRequest) -> Bool {
        request.method == "POST" && AdminCall.paths.contains(request.path)
    }

    /// - Parameter body: of a call; other requests have none.
    package init(_ request: HTTPRequest, body: [UInt8] = []) {
        if Self.isCall(request) {
            do throws(AdminCall.Fault) {
                self = .call(try AdminCall(path: request.path, body: body))
            } catch {
                self = .badQuery(error.reason)
            }
            return
        }
        if request.path == "/log-level" {
            self = Self.logLevel(request, body)
            return
        }
        if AdminCall.paths.contains(request.path) {
            self = .wrongMethod(allowed: "POST")
            return
        }
        let route = Self.page(request)
        let isRead = request.method == "GET" || request.method == "HEAD"
        self = isRead || route == .notFound ? route : .wrongMethod(allowed: "GET, HEAD")
    }

    private static func page(_ request: HTTPRequest) -> AdminRoute {
        switch request.path {
        case "/metrics": .metrics
        case "/healthz": .health
        case "/readyz": .readiness
        case "/status": .statusPage
        case "/status.json": .statusJSON
        case "/debug/sessions": sessions(request, isJSON: false)
        case "/debug/sessions.json": sessions(request, isJSON: true)
        case "/debug/accounts": accounts(request)
        case "/": .index
        default: .notFound
        }
    }

    private static func accounts(_ request: HTTPRequest) -> AdminRoute {
        guard let text = request.value("limit") else { return .accounts(limit: accountsMax) }
        guard let limit = Int(text), limit >= 1, limit <= accountsMax else {
            return .badQuery("limit: give 1 to \(accountsMax).")
        }
        return .accounts(limit: limit)
    }

    private static func sessions(_ request: HTTPRequest, isJSON: Bool) -> AdminRoute {
        guard let text = request.value("limit") else {
            return .sessions(isJSON: isJSON, limit: sessionsUsual)
        }
        guard let limit = Int(text), limit >= 1, limit <= sessionsMax else {
            return .badQuery("limit: give 1 to \(sessionsMax).")
        }
        return .sessions(isJSON: isJSON, limit: limit)
    }

    private static func logLevel(_ request: HTTPRequest, _ body: [UInt8]) -> AdminRoute {
        switch request.method {
        case "GET", "HEAD": return .logLevel
        case "PUT":
            guard let level = request.value("level").flatMap(Logger.Level.init(rawValue:)) else {
                return .badQuery(AdminCall.badLevel)
            }
            return .call(.setLogLevel(level))
        default: return .wrongMethod(allowed: "GET, HEAD, POST, PUT")
        }
    }

    /// `{"level":"debug"}`; nil for anything else.
    private static func level(_ body: Bytes) -> String? {
        var reader = JSONReader()
        guard reader.next(body) == .objectStart, case .key(let name) = reader.next(body),
            JSONReader.unescaped(body, name) == "level",
            case .string(let value) = reader.next(body), reader.next(body) == .objectEnd,
            reader.next(body) == .end
        else { return nil }
        return JSONReader.unescaped(body, value)
    }
}
