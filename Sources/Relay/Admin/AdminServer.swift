// The admin listener: what the relay tells its operators and their machines, over HTTP/1.1.
//
// It has a loop and a thread of its own, so that it answers while the others are busy, and they never
// wait for it. Nothing that it shows is a secret: no key, no content, no address of a message.

import Log
import Logging
import Reactor

/// What the admin listener needs of the rest of the process.
package struct AdminContext: Sendable {
    package let addresses: [SocketAddress]
    package let backend: BackendKind
    package let shared: Shared
    package let roster: WorkerRoster
    /// Seconds since 1970.
    package let startedAt: Int64

    package init(
        addresses: [SocketAddress], backend: BackendKind, shared: Shared, roster: WorkerRoster,
        startedAt: Int64
    ) {
        self.addresses = addresses
        self.backend = backend
        self.shared = shared
        self.roster = roster
        self.startedAt = startedAt
    }
}

/// Listeners and connections of the admin endpoint. Belongs to the loop that it was made on.
package final class AdminServer {
    /// Connections at once; more are closed at once.
    static let connectionsMax = 32
    /// Descriptors that the listener, its loop and its connections may need.
    package static let descriptorsMax = connectionsMax + 16
    /// How long a loop may take to answer.
    static let surveyMilliseconds = 1_000
    /// A loop that has not answered for so long is not alive.
    static let silenceMillisecondsMax = 10_000

    private let loop: Loop
    private let context: AdminContext
    private var listeners: [Listener] = []
    private var connections: [ObjectIdentifier: AdminConnection] = [:]
    /// What each loop said last.
    private var latest: [Int: WorkerSnapshot] = [:]
    private var silence: LoopSilence

    /// Starts to listen. Call on the loop's thread.
    /// - Throws: `SystemError` that names the address.
    init(loop: Loop, context: AdminContext) throws(SystemError) {
        self.loop = loop
        self.context = context
        silence = LoopSilence(
            loopCount: context.shared.configuration.loops,
            millisecondsMax: Self.silenceMillisecondsMax)
        for address in context.addresses {
            let acceptor = AdminAcceptor(server: self)
            // Not shared: who asks must know which relay answers.
            listeners.append(
                try Listener(
                    loop: loop, address: address, tls: nil, isShared: false, handler: acceptor))
        }
    }

    /// Starts the thread.
    /// - Throws: `SystemError` that names the address.
    package static func start(_ context: AdminContext) throws -> LoopGroup {
        try LoopGroup(count: 1, backend: .epoll) { loop in
            try AdminServer(loop: loop, context: context)
        }
    }

    fileprivate func welcome() -> StreamHandler? {
        guard connections.count < Self.connectionsMax else { return nil }
        let connection = AdminConnection(server: self)
        connections[ObjectIdentifier(connection)] = connection
        return connection
    }

    func ended(_ connection: AdminConnection) {
        connections[ObjectIdentifier(connection)] = nil
    }

    // MARK: Answers

    /// Answers at once or later, exactly once.
    func answer(_ request: AdminRequest, _ reply: @escaping (AdminAnswer) -> Void) {
        switch AdminRoute(request) {
        case .metrics:
            look { reply(AdminAnswer(200, MetricsText.contentType, MetricsPage.text($0))) }
        case .health: look { _ in reply(self.health()) }
        case .readiness: look(probing: true) { reply(Self.readiness(Readiness($0))) }
        case .statusPage:
            reply(AdminAnswer(200, "text/html; charset=utf-8", StatusPage.bytes))
        case .statusJSON: look { reply(.json(StatusReport.json($0))) }
        case .sessions(let isJSON, let limit):
            listSessions(limit) { reply($0.answer(isJSON: isJSON)) }
        case .logLevel: reply(AdminAnswer(200, context.shared.log.control.level.rawValue))
        case .setLogLevel(let level):
            context.shared.log.change(to: level)
            reply(AdminAnswer(200, level.rawValue))
        case .index: reply(AdminAnswer(200, Self.indexText))
        case .wrongMethod(let allowed):
            var answer = AdminAnswer(405, "This path takes \(allowed).")
            answer.allowed = allowed
            reply(answer)
        case .badQuery(let reason): reply(AdminAnswer(400, reason))
        case .notFound: reply(AdminAnswer(404, Self.indexText))
        }
    }

    private static let indexText = """
        postscale-relay \(RelayVersion.current)

        /status               what goes on, for a browser
        /status.json          the same for programs
        /metrics              for Prometheus
        /healthz              alive: 200, else 503
        /readyz               ready for clients: 200, else 503 and why
        /debug/sessions       who is connected (?limit=500, of each loop)
        /debug/sessions.json  the same for programs
        /log-level            the least level that is logged; PUT /log-level?level=debug
        """

    private func health() -> AdminAnswer {
        // Loops that have drained are gone, which is not the same as stuck.
        if context.shared.isLeaving {
            return AdminAnswer(200, "draining")
        }
        let stuck = silence.stuck(at: loop.now)
        guard !stuck.isEmpty else { return AdminAnswer(200, "alive") }
        let names = stuck.map { "loop \($0)" }.joined(separator: ", ")
        return AdminAnswer(503, "no answer for \(Self.silenceMillisecondsMax / 1_000) s: \(names)")
    }

    private static func readiness(_ readiness: Readiness) -> AdminAnswer {
        readiness.isReady
            ? AdminAnswer(200, "ready")
            : AdminAnswer(503, readiness.reasons.joined(separator: "\n"))
    }

    // MARK: Looking

    /// - Parameter probing: the API's addresses are tried, for the next who asks.
    private func look(
        probing: Bool = false, _ then: @escaping (RelaySnapshot) -> Void
    ) {
        LoopSurvey(
            on: loop, of: context.roster, loopCount: context.shared.configuration.loops,
            timeoutMilliseconds: Self.surveyMilliseconds,
            { worker in
                if probing { worker.pool.probe() }
                return worker.snapshot()
            }, whenDone: { [self] in then(noted($0)) })
    }

    private func noted(_ answers: [Int: WorkerSnapshot]) -> RelaySnapshot {
        latest.merge(answers) { $1 }
        silence.note(Set(answers.keys), at: loop.now)
        return RelaySnapshot(
            workers: latest.values.sorted { $0.index < $1.index },
            silentLoops: latest.keys.filter { answers[$0] == nil }.sorted(),
            facts: context.facts(now: loop.readWallClock()))
    }

    private func listSessions(_ limit: Int, _ then: @escaping (SessionsReport) -> Void) {
        LoopSurvey(
            on: loop, of: context.roster, loopCount: context.shared.configuration.loops,
            timeoutMilliseconds: Self.surveyMilliseconds,
            { worker in worker.sessionReports(limit) },
            whenDone: { answers in
                then(SessionsReport(answers.sorted { $0.key < $1.key }.map(\.value)))
            })
    }
}

/// Takes connections.
private final class AdminAcceptor: ListenerHandler {
    private let server: AdminServer

    init(server: AdminServer) {
        self.server = server
        super.init()
    }

    override func accepted(_ address: SocketAddress, on listener: Listener) -> StreamHandler? {
        server.welcome()
    }
}

/// Since when loops have not answered.
struct LoopSilence {
    private var since: [MonotonicTime?]
    private let millisecondsMax: Int

    init(loopCount: Int, millisecondsMax: Int) {
        since = Array(repeating: nil, count: loopCount)
        self.millisecondsMax = millisecondsMax
    }

    /// A survey has ended; these loops have answered it.
    mutating func note(_ answered: Set<Int>, at now: MonotonicTime) {
        for index in since.indices {
            if answered.contains(index) {
                since[index] = nil
            } else {
                since[index] = since[index] ?? now
            }
        }
    }

    /// Loops that have been silent for too long.
    func stuck(at now: MonotonicTime) -> [Int] {
        since.indices.filter { index in
            guard let start = since[index] else { return false }
            return now.milliseconds(since: start) >= millisecondsMax
        }
    }
}

extension AdminContext {
    fileprivate func facts(now: Int64) -> RelayFacts {
        var facts = RelayFacts()
        facts.hostname = shared.configuration.hostname
        facts.backend = backend.rawValue
        facts.listeners = shared.configuration.listeners
        facts.now = now
        facts.startedAt = startedAt
        facts.isDraining = shared.isLeaving
        facts.certificateEnd = shared.serverTLS.notAfter
        facts.memoryBytesMax = shared.budget.bytesMax
        facts.memoryBytesReserved = shared.budget.reservedBytes
        facts.memoryWaiting = shared.budget.waitingCount
        facts.duplicateRecords = shared.duplicates.count
        facts.abuseEntries = shared.abuse.entryCount
        facts.sessionCount = shared.clientCount
        facts.sessionsMax = shared.configuration.sessionsMax
        facts.logLinesDropped = shared.log.control.droppedLines
        facts.process = ProcessFacts.read()
        return facts
    }
}
