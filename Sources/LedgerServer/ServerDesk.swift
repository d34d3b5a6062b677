// One loop's connection to the server: the driver of `ServerTalk`.
//
// It opens the connection, again and again with growing pauses, carries bytes, keeps the time, and calls
// those who wait. Commands of one tick leave together; questions that nobody waits for yet leave when the
// server has answered those before, so that a busy loop asks for several messages at once.

import APIClient
import Log
import Reactor
import Relay
import Wire

/// A timer that calls a closure. Its owner ends it.
final class DeskAlarm: TimerHandler {
    private let loop: Loop
    private var whenDue: (() -> Void)?
    private var timer: LoopTimer?
    private(set) var time = MonotonicTime.never

    init(loop: Loop, _ whenDue: @escaping () -> Void) {
        self.loop = loop
        self.whenDue = whenDue
    }

    /// Due at `time`, unless it is due earlier.
    func set(at time: MonotonicTime) {
        guard time < self.time, whenDue != nil else { return }
        self.time = time
        let timer = timer ?? LoopTimer(loop: loop, handler: self)
        self.timer = timer
        timer.arm(at: time)
    }

    /// Never due again, and keeps nobody.
    func end() {
        timer?.cancel()
        timer = nil
        whenDue = nil
    }

    override func timerFired(_ timer: LoopTimer) {
        time = .never
        whenDue?()
    }
}

/// The desk of one loop.
final class ServerDesk: StreamHandler {
    private struct Wait {
        let question: LedgerQuestion
        let since: MonotonicTime
        let answer: (LedgerAnswer) -> Void
    }

    /// Why the desk's loop ends, if it is the one for start or end.
    private enum Errand { case none, settle, write }

    private let home: ServerLedger
    private let loop: Loop
    private let number: Int
    private var talk: ServerTalk
    private let patienceMilliseconds: Int
    private let beatMilliseconds: Int

    private var stream: Stream?
    private var addresses: [SocketAddress] = []
    private var addressesUntil = MonotonicTime(nanoseconds: 0)
    private var attempts = 0
    /// Addresses that were tried since the last pause.
    private var tried = 0
    private var hasOpened = false
    /// In a row, since the connection last was good.
    private var failures = 0
    /// Why there is no connection.
    private var failure = ""
    /// Why we end the present one.
    private var breakReason: String?
    private var isEnded = false
    private var errand = Errand.none

    /// The first connection is under way: it has neither opened nor failed.
    private var isNew = true

    private var waits: [Int: Wait] = [:]
    /// Asked before the first connection was there.
    private var parked: [Wait] = []
    private var barriers: [Int: () -> Void] = [:]
    private var lastBarrier = 0
    private var reportedWaiting = 0
    private var reportedLost = 0

    private var key: ContentHash.Key
    private var isFlushing = false
    private var patience: DeskAlarm?
    private var retry: DeskAlarm?
    private var pulse: DeskAlarm?

    private static let connectMilliseconds = 1_000
    private static let pauseMilliseconds = 100
    private static let pauseMillisecondsMax = 2_500

    /// - Parameter number: of the home's desks; -1 for one of start or end.
    init(home: ServerLedger, loop: Loop, number: Int) {
        self.home = home
        self.loop = loop
        self.number = number
        let options = home.options.talk
        patienceMilliseconds = options.patienceMilliseconds
        beatMilliseconds = options.beatMilliseconds
        key = home.hashKey
        talk = ServerTalk(
            options: options, namer: ServerNamer(key: key), process: home.process,
            readsNews: number == 0)
        super.init()
        patience = DeskAlarm(loop: loop) { [weak self] in self?.patienceIsOver() }
        retry = DeskAlarm(loop: loop) { [weak self] in self?.connect() }
        pulse = DeskAlarm(loop: loop) { [weak self] in self?.beat() }
        loop.whenEnded { [self] in end() }
    }

    /// Begins with the loop's first tick.
    func begin() {
        loop.later { [weak self] in
            guard let self else { return }
            key = home.hashKey
            talk.useKey(key)
            pulse?.set(at: now.advanced(byMilliseconds: beatMilliseconds))
            connect()
        }
    }

    private var now: MonotonicTime { loop.now }

    // MARK: Errands

    /// The loop ends when the server was reached, or failed.
    func endsWhenSettled() { errand = .settle }

    /// The loop ends when everything is written.
    func endsWhenWritten() { errand = .write }

    /// Takes over what other desks have not written.
    func adopt(_ changes: [LedgerChange]) {
        // Their loops have counted them off.
        talk.apply(changes, at: now)
        report()
    }

    private func checkErrand(hasFailed: Bool) {
        switch errand {
        case .none: break
        case .settle: if talk.isOpen || hasFailed { loop.stop() }
        case .write: if talk.waitingChanges == 0 { loop.stop() }
        }
    }

    private func end() {
        isEnded = true
        for alarm in [patience, retry, pulse] { alarm?.end() }
        talk.closed(at: now)
        _ = talk.takeEffects()
        home.count(waiting: -reportedWaiting)
        reportedWaiting = 0
        home.leave(talk.takeOwed())
        home.forgetDesk(number)
        waits = [:]
        parked = []
        barriers = [:]
        stream = nil
    }

    // MARK: The connection

    private func connect() {
        guard stream == nil, !isEnded else { return }
        failure = ""
        let address = home.options.address
        if let literal = Self.literal(address) { return connect(to: literal) }
        guard now >= addressesUntil else { return connect(to: addresses) }
        home.names.lookUp(
            host: address.host, port: address.port, on: loop, question: attempts, for: self)
    }

    /// The addresses of a host that no name service needs to be asked about.
    private static func literal(_ address: LedgerServerAddress) -> [SocketAddress]? {
        if address.host.lowercased() == "localhost" {
            return ["127.0.0.1:\(address.port)", "[::1]:\(address.port)"]
                .compactMap { SocketAddress($0) }
        }
        let host = address.host.utf8.contains(0x3A) ? "[\(address.host)]" : address.host
        return SocketAddress("\(host):\(address.port)").map { [$0] }
    }

    private func connect(to addresses: [SocketAddress]) {
        self.addresses = addresses
        let address = addresses[attempts % addresses.count]
        attempts += 1
        tried += 1
        let stream = Stream.connect(
            loop: loop, to: address, tls: home.tls,
            serverName: home.options.address.host, handler: self)
        stream.deadline = now.advanced(byMilliseconds: Self.connectMilliseconds)
        self.stream = stream
    }

    override func streamOpened(_ stream: Stream) {
        failure = ""
        hasOpened = true
        talk.opened(
            life: Randomness.name(), at: now, wallClock: loop.readWallClock())
        flush()
    }

    override func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {
        let wasSlow = talk.isSlow(at: now)
        talk.received(bytes, at: now)
        carryOut()
        if wasSlow, talk.isOpen, !talk.isSlow(at: now) { noteCondition() }
        if talk.hasOutput { flushSoon() }
        if talk.isOpen { stream.deadline = talk.silenceEnd }
    }

    override func streamTimedOut(_ stream: Stream) {
        if talk.isOpen, talk.silenceEnd > now {
            stream.deadline = talk.silenceEnd
            return
        }
        if talk.isOpen {
            talk.silent(at: now)
            return carryOut()
        }
        breakOff("no answer within \(Self.connectMilliseconds) ms")
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        guard !isEnded, self.stream === stream else { return }
        self.stream = nil
        // Nobody but the end of the loop closes it without a reason.
        guard let why = breakReason ?? Self.words(reason) else { return }
        breakReason = nil
        // Of several addresses, the one that was there at all tells most.
        if failure.isEmpty || failure.hasPrefix(Self.systemPrefix) { failure = why }
        guard !hasOpened, tried < addresses.count else { return failed() }
        // Another address may be better.
        loop.later { [weak self] in self?.connectAgain() }
    }

    private func connectAgain() {
        guard stream == nil, !isEnded else { return }
        connect(to: addresses)
    }

    private func breakOff(_ reason: String) {
        breakReason = reason
        guard let stream else { return }
        stream.abort()
    }

    /// The connection is gone, or there was none to be had.
    private func failed() {
        isNew = false
        home.note(.unreachable(failure), of: number, at: now)
        tried = 0
        hasOpened = false
        talk.closed(at: now)
        carryOut()
        unpark()
        let pause = min(Self.pauseMilliseconds << min(failures, 8), Self.pauseMillisecondsMax)
        failures += 1
        retry?.set(at: now.advanced(byMilliseconds: pause + Randomness.upTo(pause / 4)))
        checkErrand(hasFailed: true)
    }

    private static let systemPrefix = "connection: "

    private static func words(_ reason: CloseReason) -> String? {
        switch reason {
        case .local: nil
        case .peer: "the server has closed the connection"
        case .system(let errno): "\(SystemError(operation: "connection", errno: errno))"
        case .tls(let words): "TLS: \(words)"
        }
    }

    // MARK: Output

    private func flushSoon() {
        guard !isFlushing else { return }
        isFlushing = true
        loop.later { [self] in
            isFlushing = false
            flush()
        }
    }

    /// Questions that nobody waits for yet leave together with those that come until the server has
    /// answered the ones before: a busy loop asks for several messages at once.
    private func gather() { if !talk.isAwaiting { flushSoon() } }

    private func flush() {
        guard let stream, !isEnded, talk.hasOutput else { return }
        talk.takeOutput { stream.write($0, isSecret: $1) }
        stream.deadline = talk.silenceEnd
    }

    // MARK: What the talk says

    private func carryOut() {
        for effect in talk.takeEffects() {
            switch effect {
            case .opened(let key, let life):
                self.key = key
                begin(home.reached(key: key, life: life, at: now))
            case .reborn(let life):
                talk.restore(home.reached(key: key, life: life, at: now), at: now)
            case .answered(let id, let answer): answered(id, answer)
            case .passed(let barrier): barriers.removeValue(forKey: barrier)?()
            case .heard(let news): home.heard(news, at: now)
            case .writable: noteCondition()
            case .newsRefused(let reason): home.newsRefused(reason)
            case .broken(let reason): breakOff(reason)
            }
        }
        report()
        checkErrand(hasFailed: false)
    }

    private func begin(_ lost: [LedgerChange]) {
        isNew = false
        talk.restore(lost, at: now)
        noteCondition()
        unpark()
    }

    private func noteCondition() {
        let condition: ServerLedger.Condition =
            if !talk.isOpen {
                .unreachable(failure.isEmpty ? "no connection" : failure)
            } else if talk.isSlow(at: now) {
                .unreachable("no answer within \(LedgerPatience.milliseconds) ms")
            } else if let refusal = talk.refusal {
                .readOnly(refusal)
            } else {
                .good
            }
        home.note(condition, of: number, at: now)
    }

    private func report() {
        let waiting = talk.waitingChanges
        home.count(waiting: waiting - reportedWaiting)
        reportedWaiting = waiting
        let lost = talk.lostChanges
        home.countLost(lost - reportedLost)
        reportedLost = lost
    }

    private func beat() {
        pulse?.set(at: now.advanced(byMilliseconds: beatMilliseconds))
        if talk.isOpen, talk.isSlow(at: now) { noteCondition() }
        if talk.isOpen, !talk.isSlow(at: now) { failures = 0 }
        talk.beat(
            life: Randomness.name(), at: now, wallClock: loop.readWallClock())
        if talk.hasOutput { flush() }
        home.beat(at: now)
    }

    /// Tells the fleet, from any loop through the mailbox of this one.
    func tell(_ news: FleetNews) {
        talk.tell(news, at: now)
        if talk.hasOutput { flushSoon() }
    }

    // MARK: Those who wait

    private func answered(_ id: Int, _ answer: LedgerAnswer?) {
        guard let wait = waits.removeValue(forKey: id) else { return }
        let joined =
            answer.map { home.join($0, to: wait.question, at: now) }
            ?? home.answer(wait.question, at: now)
        wait.answer(joined)
    }

    /// The first connection is there, or there is none.
    private func unpark() {
        let parked = parked
        self.parked = []
        for wait in parked {
            guard talk.isOpen, !talk.isSlow(at: now) else {
                wait.answer(home.answer(wait.question, at: now))
                continue
            }
            waits[talk.lookUp(wait.question, at: now)] = wait
        }
        if talk.hasOutput { flushSoon() }
    }

    /// Those who have waited too long hear what memory knows.
    private func patienceIsOver() {
        let isOver = { [now, patienceMilliseconds] (wait: Wait) in
            now.milliseconds(since: wait.since) >= patienceMilliseconds
        }
        let late = waits.filter { isOver($0.value) }.sorted { $0.key < $1.key }
        let lateParked = parked.filter(isOver)
        parked.removeAll(where: isOver)
        if !late.isEmpty || !lateParked.isEmpty { noteCondition() }
        home.countTimeouts(late.count + lateParked.count)
        for (id, wait) in late {
            waits[id] = nil
            let found = talk.giveUp(id)
            wait.answer(found ?? home.answer(wait.question, at: now))
        }
        for wait in lateParked { wait.answer(home.answer(wait.question, at: now)) }
        armPatience()
    }

    private func armPatience() {
        guard let oldest = (waits.values.map(\.since) + parked.map(\.since)).min() else { return }
        patience?.set(at: oldest.advanced(byMilliseconds: patienceMilliseconds))
    }
}

// MARK: - LedgerDesk

extension ServerDesk: LedgerDesk {
    var hashKey: ContentHash.Key { key }

    func mailBegan(_ scope: LedgerScope) -> UInt64 {
        guard isInReach() else { return 0 }
        let ticket = talk.inquire(scope, at: now)
        home.countQuestion()
        gather()
        return ticket
    }

    func mayHold(_ scope: LedgerScope, ticket: UInt64) -> Bool {
        mayHold(ticket, talk.mayHold) { home.mayHold(scope) }
    }

    func mayHoldRecipients(_ scope: LedgerScope, ticket: UInt64) -> Bool {
        mayHold(ticket, talk.mayHoldRecipients) { home.mayHoldRecipients(scope) }
    }

    /// A loop that has just begun asks the server, too: what it knows is worth waiting for, unless it is
    /// known to be out of reach.
    private var waitsForFirst: Bool { !talk.isOpen && isNew && !home.isFailing }

    /// The server can be asked. When it owes an answer for too long that is noted.
    private func isInReach() -> Bool {
        guard talk.isOpen else { return false }
        guard talk.isSlow(at: now) else { return true }
        noteCondition()
        return false
    }

    private func mayHold(
        _ ticket: UInt64, _ server: (UInt64) -> Bool, memory: () -> Bool
    ) -> Bool {
        guard isInReach() else { return waitsForFirst || memory() }
        if ticket == 0 || server(ticket) {
            if talk.isUnsent(ticket) { flushSoon() }
            return true
        }
        return home.hasWaiting && memory()
    }

    func ask(
        _ question: LedgerQuestion, at now: MonotonicTime,
        _ answer: @escaping (LedgerAnswer) -> Void
    ) -> LedgerAnswer? {
        let wait = Wait(question: question, since: now, answer: answer)
        if isInReach() {
            home.countQuestion()
            waits[talk.lookUp(question, at: now)] = wait
            flushSoon()
        } else if waitsForFirst {
            parked.append(wait)
        } else {
            return home.answer(question, at: now)
        }
        patience?.set(at: now.advanced(byMilliseconds: patienceMilliseconds))
        return nil
    }

    func apply(_ changes: [LedgerChange], at now: MonotonicTime, written: (() -> Void)?) -> Bool {
        home.apply(changes, at: now)
        talk.apply(changes, at: now)
        report()
        defer { if talk.hasOutput { flushSoon() } }
        guard let written else { return false }
        lastBarrier += 1
        guard talk.barrier(lastBarrier, at: now) else { return true }
        barriers[lastBarrier] = written
        return false
    }
}

// MARK: - Names

extension ServerDesk: NameInquirer {
    func answered(_ answer: NameAnswer, to question: Int) {
        guard !isEnded, stream == nil, question == attempts else { return }
        switch answer {
        case .addresses(let found) where !found.isEmpty:
            addresses = found
            addressesUntil = now.advanced(byMilliseconds: home.options.dnsMilliseconds)
            connect(to: found)
        case .addresses:
            attempts += 1
            failure = "\(home.options.address.host): no address"
            failed()
        case .failed(let reason):
            attempts += 1
            failure = reason
            failed()
        }
    }
}

/// How long a message waits for the server, for the log.
private enum LedgerPatience {
    static let milliseconds = 50
}
