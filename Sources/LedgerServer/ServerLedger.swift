// The home in a Valkey or Redis server, which a fleet of relays shares.
//
// Each loop has a connection of its own (`ServerDesk`), so no question crosses a thread. What this relay
// has recorded is also in its memory: while the server is out of reach memory answers, and what it
// missed is written when it is back. A server that has lost its data is told again what memory knows.
// Mail never waits longer than `LedgerDesk.patienceMilliseconds` for any of this.

import APIClient
import Log
import Reactor
import Relay
import Synchronization

/// A ledger in a server. Safe to use from any thread.
package final class ServerLedger: LedgerHome {
    /// How one loop finds the server.
    enum Condition: Equatable {
        case good
        /// Asked, and not written to.
        case readOnly(String)
        case unreachable(String)

        fileprivate var reason: String? {
            switch self {
            case .good: nil
            case .readOnly(let reason), .unreachable(let reason): reason
            }
        }
    }

    /// Who tells the fleet.
    private struct Teller: Sendable {
        let mailbox: Mailbox
        let tell: @Sendable (FleetNews) -> Void
    }

    private struct State: Sendable {
        var table: LedgerTable
        var hashKey: ContentHash.Key
        /// Of the server's data; nil before it was reached.
        var life: UInt64?
        /// What is wrong, by the number of the desk.
        var troubles: [Int: Condition] = [:]
        var deskCount = 0
        /// The log says that the server is out of reach.
        var isReported = false
        /// Since when nothing is wrong.
        var goodSince = MonotonicTime(nanoseconds: 0)
        var failures = 0
        var lost = 0
        /// Of loops that have ended.
        var orphans: [LedgerChange] = []
        var teller: Teller?
        var hasNewsRefused = false
        var hear: (@Sendable (FleetNews, MonotonicTime) -> Void)?
    }

    /// A connection and a name's question for each loop and for the one at start and end.
    package static func descriptorsMax(loops: Int) -> Int { 2 * loops + 6 }

    let options: ServerLedgerOptions
    let tls: TLSContext?
    let names: any NameService
    /// Names this process in the server.
    let process = Randomness.name()
    private let log: EventLog
    private let state: Locked<State>
    /// Records in the table.
    private let held = Atomic<Int>(0)
    /// Changes that the server has not confirmed, of all desks.
    private let waiting = Atomic<Int>(0)
    private let questions = Atomic<Int>(0)
    private let timeouts = Atomic<Int>(0)
    private let fleetNamer: Locked<ServerNamerBox>

    /// How long the server is waited for at start, and at the end.
    private static let startMilliseconds = 1_000
    private static let endMilliseconds = 1_500
    /// After a failure the server is good again when it was good for so long.
    private static let steadyMilliseconds = 1_000

    /// A ledger that has reached nobody yet.
    /// - Throws: `TLSError` that names the file.
    package init(
        options: ServerLedgerOptions, log: EventLog, names: any NameService = SystemNameService()
    ) throws(TLSError) {
        self.options = options
        self.log = log
        self.names = names
        tls = options.address.isTLS ? try TLSContext.client(caFile: options.address.caFile) : nil
        let secret = options.credentials.secret
        let key = secret.isEmpty ? ContentHash.Key.random() : ContentHash.Key(secret: secret)
        state = Locked(State(table: LedgerTable(bounds: options.bounds), hashKey: key))
        fleetNamer = Locked(ServerNamerBox(ServerNamer(key: key)))
    }

    // MARK: LedgerHome

    /// Looks for the server before the first client comes, so that the first messages already have the
    /// fleet's key; waits for a second at most.
    package func start() {
        let desk = runAlone(milliseconds: Self.startMilliseconds) { $0.endsWhenSettled() }
        guard desk == nil else { return }
        note(.unreachable("no answer for \(Self.startMilliseconds) ms"), of: -1, at: .readClock())
        // From now on the loops' desks know better.
        forgetDesk(-1)
    }

    package func desk(on loop: Loop) -> any LedgerDesk {
        let number = state.withLock { state in
            state.deskCount += 1
            return state.deskCount - 1
        }
        let desk = ServerDesk(home: self, loop: loop, number: number)
        if number == 0 {
            nonisolated(unsafe) let carried = desk  // Touched on its own loop only.
            let teller = Teller(mailbox: loop.mailbox) { carried.tell($0) }
            state.withLock { $0.teller = teller }
        }
        desk.begin()
        return desk
    }

    package var fleet: (any FleetLink)? { self }

    package var status: LedgerStatus {
        var status = state.withLock { state in
            var status = LedgerStatus(kind: "valkey")
            status.records = state.table.count
            status.bytes = state.table.bytes
            status.refused = state.table.refused
            status.isReachable = state.troubles.isEmpty && state.life != nil
            status.lost = state.lost
            status.failures = state.failures
            return status
        }
        status.waiting = waiting.load(ordering: .relaxed)
        status.questions = questions.load(ordering: .relaxed)
        status.timeouts = timeouts.load(ordering: .relaxed)
        return status
    }

    /// Writes what the loops have left, for a second and a half at most.
    package func close() {
        let orphans = takeOrphans()
        guard !orphans.isEmpty else { return }
        _ = runAlone(milliseconds: Self.endMilliseconds) { desk in
            desk.adopt(orphans)
            desk.endsWhenWritten()
        }
        let left = state.withLock { $0.orphans.count }
        guard left > 0 else { return }
        log.event(
            .warning, "ledger-unwritten",
            [
                "server": "\(options.address)", "changes": "\(left)",
                "effect": "what they guard may be sent again by another relay",
            ])
    }

    /// The same as `close` on a loop of the caller, which `stop`s when everything is written.
    package func finish(on loop: Loop) {
        let desk = ServerDesk(home: self, loop: loop, number: -1)
        desk.adopt(takeOrphans())
        desk.endsWhenWritten()
        desk.begin()
    }

    private func takeOrphans() -> [LedgerChange] {
        state.withLock { state in
            state.hear = nil
            let taken = state.orphans
            state.orphans = []
            return taken
        }
    }

    /// Runs a desk on a loop of its own in this thread, until it ends that loop or the time is over.
    /// - Returns: nil when the time was over.
    private func runAlone(milliseconds: Int, _ prepare: (ServerDesk) -> Void) -> ServerDesk? {
        guard let loop = try? Loop(index: 0, backend: .epoll) else { return nil }
        let desk = ServerDesk(home: self, loop: loop, number: -1)
        var isOver = false
        let alarm = DeskAlarm(loop: loop) {
            isOver = true
            loop.stop()
        }
        alarm.set(at: loop.now.advanced(byMilliseconds: milliseconds))
        prepare(desk)
        desk.begin()
        loop.run()
        alarm.end()
        return isOver ? nil : desk
    }

    // MARK: Memory, for desks

    var hashKey: ContentHash.Key { state.withLock { $0.hashKey } }

    /// The server was out of reach, and has not been good for a while since.
    var isFailing: Bool { state.withLock { $0.isReported } }

    func mayHold(_ scope: LedgerScope) -> Bool {
        held.load(ordering: .acquiring) > 0 && state.withLock { $0.table.mayHold(scope) }
    }

    func mayHoldRecipients(_ scope: LedgerScope) -> Bool {
        held.load(ordering: .acquiring) > 0 && state.withLock { $0.table.mayHoldRecipients(scope) }
    }

    /// Whether memory may know more than the server.
    var hasWaiting: Bool { waiting.load(ordering: .acquiring) > 0 }

    /// What memory knows.
    func answer(_ question: LedgerQuestion, at now: MonotonicTime) -> LedgerAnswer {
        state.withLock { $0.table.answer(question, at: now) }
    }

    func apply(_ changes: [LedgerChange], at now: MonotonicTime) {
        guard !changes.isEmpty else { return }
        state.withLock { state in
            for change in changes { state.table.apply(change, at: now) }
            held.store(state.table.count, ordering: .releasing)
        }
    }

    /// Brings the server's answer and memory together. The server is right, because other relays change
    /// it too; only what it was not told yet is memory's to say.
    func join(
        _ answer: LedgerAnswer, to question: LedgerQuestion, at now: MonotonicTime
    ) -> LedgerAnswer {
        guard held.load(ordering: .acquiring) > 0 else { return answer }
        let isAhead = hasWaiting
        return state.withLock { state in
            defer { held.store(state.table.count, ordering: .releasing) }
            guard isAhead else {
                state.table.correct(question, answer, at: now)
                return answer
            }
            let own = state.table.answer(question, at: now)
            if case .accepted? = answer.whole { return answer }
            if let whole = own.whole { return LedgerAnswer(whole: whole) }
            guard answer.whole == nil else { return answer }
            let records = zip(answer.recipients, own.recipients).map { server, own in
                server.flatMap { $0.fact == .tried ? nil : $0 } ?? own ?? server
            }
            return LedgerAnswer(recipients: records)
        }
    }

    // MARK: Reports of desks

    func count(waiting change: Int) {
        if change != 0 { waiting.add(change, ordering: .acquiringAndReleasing) }
    }

    func countQuestion() { questions.add(1, ordering: .relaxed) }
    func countTimeouts(_ count: Int) { timeouts.add(count, ordering: .relaxed) }
    func countLost(_ count: Int) { if count != 0 { state.withLock { $0.lost += count } } }

    /// A desk has reached the server.
    /// - Returns: what the server has to be told again, because it has lost its data.
    func reached(key: ContentHash.Key, life: UInt64, at now: MonotonicTime) -> [LedgerChange] {
        let (isFirst, lost) = state.withLock { state in
            let isFirst = state.life == nil
            if state.hashKey.text != key.text {
                // Nobody makes the digests of these any more.
                state.hashKey = key
                state.table = LedgerTable(bounds: options.bounds)
                held.store(0, ordering: .releasing)
            }
            let isReborn = !isFirst && state.life != life
            state.life = life
            return (isFirst, isReborn ? state.table.all(at: now) : [])
        }
        fleetNamer.withLock { $0.namer.use(key) }
        if isFirst { log.event(.info, "ledger-opened", ["server": "\(options.address)"]) }
        return lost
    }

    /// How a desk finds the server now.
    func note(_ condition: Condition, of desk: Int, at now: MonotonicTime) {
        let isNew = state.withLock { state in
            if condition == .good {
                let wasTroubled = state.troubles.removeValue(forKey: desk) != nil
                if wasTroubled, state.troubles.isEmpty { state.goodSince = now }
                return false
            }
            if state.troubles[desk] == nil { state.failures += 1 }
            state.troubles[desk] = condition
            defer { state.isReported = true }
            return !state.isReported
        }
        guard isNew, let reason = condition.reason else { return }
        let isAsked = if case .readOnly = condition { true } else { false }
        log.event(
            .warning, "ledger-unreachable",
            [
                "server": "\(options.address)", "reason": reason,
                "effect": isAsked
                    ? "records are kept in memory; the server is asked, and not written to"
                    : "records are in memory alone, and other relays do not know them",
                "remedy": Self.remedy(reason),
            ])
    }

    /// The loop of a desk has ended.
    func forgetDesk(_ desk: Int) {
        state.withLock { state in
            state.troubles[desk] = nil
            if desk == 0 { state.teller = nil }
        }
    }

    /// Once per second on each loop: says when the server is back.
    func beat(at now: MonotonicTime) {
        let (isBack, failures) = state.withLock { state in
            let isBack =
                state.isReported && state.troubles.isEmpty && state.life != nil
                && now.milliseconds(since: state.goodSince) >= Self.steadyMilliseconds
            if isBack { state.isReported = false }
            return (isBack, state.failures)
        }
        guard isBack else { return }
        log.event(
            .notice, "ledger-reached",
            [
                "server": "\(options.address)", "failures": "\(failures)",
                "waiting": "\(waiting.load(ordering: .relaxed))",
            ])
    }

    func leave(_ changes: [LedgerChange]) {
        if !changes.isEmpty { state.withLock { $0.orphans += changes } }
    }

    private static func remedy(_ reason: String) -> String {
        switch reason.split(separator: " ").first.map(String.init) ?? "" {
        case "OOM": "give the server more memory, or find what fills it"
        case "READONLY": "name the primary in --ledger, not a replica"
        case "MISCONF": "see why the server cannot save its data"
        case "NOAUTH", "WRONGPASS": "check user and password in --ledger-credentials"
        case "NOPERM": "give the user the commands and names that docs/fleet.md lists"
        default: "the server is tried again within 3 seconds"
        }
    }
}

/// A namer that is passed between threads under a lock. `@unchecked`: the lock's owner guards it.
struct ServerNamerBox: @unchecked Sendable {
    let namer: ServerNamer
    init(_ namer: ServerNamer) { self.namer = namer }
}

// MARK: - The fleet

extension ServerLedger: FleetLink {
    package func limitName(account: UInt64, domain: String) -> ContentDigest {
        fleetNamer.withLock {
            $0.namer.name(domain.isEmpty ? .keyLimit : .domainLimit, account: account, domain)
        }
    }

    package func domainName(_ domain: String) -> ContentDigest {
        fleetNamer.withLock { $0.namer.name(.domain, account: 0, domain) }
    }

    package func keyName(account: UInt64) -> ContentDigest {
        fleetNamer.withLock { $0.namer.name(.key, account: account) }
    }

    package func tell(_ news: FleetNews) {
        guard let teller = state.withLock({ $0.teller }) else { return }
        teller.mailbox.post { teller.tell(news) }
    }

    package func listen(_ hear: @escaping @Sendable (FleetNews, MonotonicTime) -> Void) {
        state.withLock { $0.hear = hear }
    }

    func heard(_ news: [FleetNews], at now: MonotonicTime) {
        guard let hear = state.withLock({ $0.hear }) else { return }
        for news in news { hear(news, now) }
    }

    func newsRefused(_ reason: String) {
        let isNew = state.withLock { state in
            defer { state.hasNewsRefused = true }
            return !state.hasNewsRefused
        }
        guard isNew else { return }
        log.event(
            .warning, "fleet-news-refused",
            [
                "server": "\(options.address)", "reason": reason,
                "effect": "limits and forgotten keys are not shared; records are",
                "remedy": Self.remedy(reason),
            ])
    }
}
