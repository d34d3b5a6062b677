// The answers of the admin listener: from a request to a page. No sockets in here.

import HTTPServer
import Log
import Reactor
import Wire

/// Answers the admin listener's requests, on its loop.
final class AdminService: HTTPService {
    private let context: AdminContext
    private let observer: RelayObserver
    private let guardian: HTTPGuard

    init(loop: Loop, context: AdminContext) {
        self.context = context
        observer = RelayObserver(loop: loop, context: context)
        guardian = HTTPGuard(hostname: context.shared.configuration.hostname)
    }

    func admit(_ request: HTTPRequest) -> HTTPAdmission {
        let isCall = AdminRoute.isCall(request)
        let fault =
            guardian.fault(of: request) ?? (isCall ? HTTPGuard.callFault(of: request) : nil)
        if let fault { return .answer(.text(fault.status, fault.reason)) }
        if isCall { return .body(bytesMax: AdminRoute.bodyBytesMax) }
        return request.hasBody ? .answer(Self.tooLarge) : .body(bytesMax: 0)
    }

    func respond(
        to request: HTTPRequest, body: [UInt8], _ reply: @escaping (HTTPAnswer) -> Void
    ) {
        switch AdminRoute(request, body: body) {
        case .metrics:
            observer.look {
                reply(.page(MetricsText.contentType, MetricsPage.text($0)))
            }
        case .health: observer.look { _ in reply(self.health()) }
        case .readiness:
            observer.look(probing: true) { reply(Self.readiness(Readiness($0))) }
        case .statusPage: reply(.page("text/html; charset=utf-8", StatusPage.bytes))
        case .statusJSON: observer.look { reply(.json(StatusReport.json($0))) }
        case .sessions(let isJSON, let limit):
            observer.listSessions(limit) { report in
                reply(
                    isJSON ? .json(report.json) : .page("text/plain; charset=utf-8", report.table))
            }
        case .accounts(let limit):
            observer.listAccounts(limit) { reply(.json($0.json)) }
        case .logLevel: reply(.text(200, context.shared.log.control.level.rawValue))
        case .call(let call): perform(call, reply)
        case .index: reply(.text(200, Self.indexText))
        case .wrongMethod(let allowed):
            var answer = HTTPAnswer.text(405, "This path takes \(allowed).")
            answer.headers = [("Allow", allowed)]
            reply(answer)
        case .badQuery(let reason): reply(.text(400, reason))
        case .notFound: reply(.text(404, Self.indexText))
        }
    }

    // MARK: Calls

    private func perform(_ call: AdminCall, _ reply: @escaping (HTTPAnswer) -> Void) {
        let shared = context.shared
        switch call {
        case .forgetDomainLimit(let domain):
            let wasKnown = shared.rateLimits.forget(domain: domain)
            shared.fleet.forgotten(domain: domain)
            shared.log.event(
                .notice, "limit-forgotten",
                ["domain": domain, "was_known": wasKnown ? "yes" : "no"])
            reply(Self.forgotten(wasKnown))
        case .forgetKeyLimit(let name):
            let wasKnown =
                shared.accounts.hash(named: name).map(shared.rateLimits.forget(key:)) ?? false
            shared.fleet.forgotten(limitsOf: name)
            shared.log.event(
                .notice, "limit-forgotten",
                ["key": hexadecimal(name), "was_known": wasKnown ? "yes" : "no"])
            reply(Self.forgotten(wasKnown))
        case .forgetKey(let name):
            let wasKnown =
                shared.accounts.hash(named: name).map { shared.keyCache.forgetVerdict(on: $0) }
                ?? false
            shared.fleet.forgotten(key: name)
            shared.log.event(
                .notice, "key-forgotten",
                ["key": hexadecimal(name), "was_known": wasKnown ? "yes" : "no"])
            reply(Self.forgotten(wasKnown))
        case .trace(let subject, let minutes):
            let isFollowed = observer.follow(subject, minutes: minutes) { sessions in
                reply(
                    .json(
                        JSONDocument.object {
                            $0.field("minutes", minutes)
                            $0.field("open_sessions", sessions)
                        }))
            }
            guard isFollowed else {
                let most = TraceRules.passingMax
                return reply(.text(409, "\(most) traces are under way: wait for the end of one."))
            }
            shared.log.event(
                .notice, "trace-begun", ["minutes": "\(minutes)"],
                optional: ["key": subject.keyText, "address": subject.addressText])
        case .setLogLevel(let level):
            shared.log.change(to: level)
            reply(.text(200, level.rawValue))
        }
        observer.note(call)
    }

    private static func forgotten(_ wasKnown: Bool) -> HTTPAnswer {
        .json(JSONDocument.object { $0.field("forgotten", wasKnown ? 1 : 0) })
    }

    func answer(to refusal: HTTPRefusal) -> HTTPAnswer {
        switch refusal {
        case .invalid(let status, let reason): .text(status, reason)
        case .bodyTooLarge: Self.tooLarge
        case .tooManyUploads: .text(503, "Too many requests at once.")
        }
    }

    private static var tooLarge: HTTPAnswer {
        .text(413, "Only calls have a body, of at most \(AdminRoute.bodyBytesMax) bytes.")
    }

    /// Pages may run their own script and style and talk to this listener, and nothing else. No
    /// cache keeps them.
    func finished(_ answer: HTTPAnswer, to request: HTTPRequest?) -> HTTPAnswer {
        var answer = answer
        answer.headers =
            [
                ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
                ("X-Frame-Options", "DENY"),
                (
                    "Content-Security-Policy",
                    "default-src 'none'; script-src 'unsafe-inline'; "
                        + "style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'"
                ),
            ] + answer.headers
        return answer
    }

    func note(_ event: HTTPEvent) {}

    private static let indexText = """
        postscale-relay \(RelayVersion.current)

        /status               what goes on, for a browser
        /status.json          the same for programs
        /metrics              for Prometheus
        /healthz              alive: 200, else 503
        /readyz               ready for clients: 200, else 503 and why
        /debug/sessions       who is connected (?limit=500, of each loop)
        /debug/sessions.json  the same for programs
        /debug/accounts       which keys hold most (?limit=50)
        /log-level            the least level that is logged; PUT /log-level?level=debug

        Calls: POST with Content-Type: application/json and any X-Requested-By. A key is named by the
        first 16 digits of its SHA-256.
        /limits/forget        {"domain": "example.com"} or {"key": "<hash>"}
        /keys/forget          {"key": "<hash>"}: the next login asks the API
        /trace                {"key": "<hash>"} or {"address": "192.0.2.7"}, "minutes": 10
        /log-level            {"level": "debug"}
        """

    private func health() -> HTTPAnswer {
        // Loops that have drained are gone, which is not the same as stuck.
        if context.shared.isLeaving { return .text(200, "draining") }
        let stuck = observer.stuckLoops
        guard !stuck.isEmpty else { return .text(200, "alive") }
        let names = stuck.map { "loop \($0)" }.joined(separator: ", ")
        let seconds = RelayObserver.silenceMillisecondsMax / 1_000
        return .text(503, "no answer for \(seconds) s: \(names)")
    }

    private static func readiness(_ readiness: Readiness) -> HTTPAnswer {
        readiness.isReady
            ? .text(200, "ready") : .text(503, readiness.reasons.joined(separator: "\n"))
    }
}

extension TraceRules.Subject {
    /// For the log; empty for the other kind.
    fileprivate var keyText: String {
        if case .key(let name) = self { hexadecimal(name) } else { "" }
    }
    fileprivate var addressText: String {
        if case .addresses(let block) = self { "\(block)" } else { "" }
    }
}

extension HTTPAnswer {
    fileprivate static func text(_ status: Int, _ text: String) -> HTTPAnswer {
        HTTPAnswer(
            status: status, contentType: "text/plain; charset=utf-8",
            body: Array((text + "\n").utf8))
    }

    fileprivate static func page(_ contentType: String, _ body: [UInt8]) -> HTTPAnswer {
        HTTPAnswer(status: 200, contentType: contentType, body: body)
    }

    fileprivate static func json(_ body: [UInt8]) -> HTTPAnswer { page("application/json", body) }
}
