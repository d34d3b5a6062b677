// Messages that wait for the end of a limit, on one loop: a line for each key or domain.
//
// When a limit's time is over the first of its line goes out, alone. Its success releases the next,
// another 429 makes the rest wait on, and those that cannot wait so long are told at once. Places are
// shared by key: a key may hold as many as are still free. `RateLimitMemory` knows the limits and
// sees to it that only one loop asks the API; a line carries out what follows.

import APIClient
import Reactor

/// What waits in a line. Called on the loop.
protocol LimitWaiter: AnyObject {
    /// Whose places it takes.
    var waitingKey: APIKey.Hash { get }
    /// When it must be on its way at the latest.
    var latestStart: MonotonicTime { get }
    /// It has left the line, and is on its way; `LimitLines.ended` follows with its end.
    func limitIsOver(_ name: LimitName)
    /// It has left the line: the limit lasts too long for it.
    func limitLasts(_ limit: RateLimit)
}

/// The lines of one loop.
final class LimitLines {
    private let loop: Loop
    private let memory: RateLimitMemory
    /// Messages that wait, in all lines together.
    private let waitersMax: Int
    /// How long a probe may take before another one goes, in milliseconds.
    let lease: Int
    private var lines: [LimitName: LimitLine] = [:]
    /// Lines so far; numbers them.
    private var lineCount = 0
    private var hasEnded = false
    private var waiterCount = 0
    private var waitersOfKey: [APIKey.Hash: Int] = [:]

    init(loop: Loop, memory: RateLimitMemory, waitersMax: Int, lease: Int) {
        self.loop = loop
        self.memory = memory
        self.waitersMax = waitersMax
        self.lease = lease
        loop.whenEnded { [weak self] in self?.end() }
    }

    /// Nobody waits, and nobody is on the way for others.
    var isEmpty: Bool { lines.isEmpty }

    /// Messages that wait.
    var count: Int { waiterCount }

    /// What a message under `name` meets. Behind others it has to wait like them.
    func find(_ name: LimitName) -> RateLimitMemory.Finding {
        if hasEnded { return .free }
        let finding = memory.find(name, at: loop.now, lease: lease)
        switch finding {
        case .free where lines[name] != nil, .probe where lines[name] != nil:
            if finding == .probe { memory.release(name) }
            let limit = RateLimit(kind: "", retryAfterSeconds: 1)
            return .probed(limit, until: loop.now)
        case .probe:
            // From now on others wait for what becomes of it.
            line(name).leaderLeft()
            return .probe
        default: return finding
        }
    }

    /// Takes a place in the line of `name`; false when the key holds its share of the places.
    /// - Parameters:
    ///   - isFirst: it was the first before.
    ///   - until: when the limit ends.
    func join(
        _ waiter: any LimitWaiter, _ name: LimitName, isFirst: Bool = false,
        until: MonotonicTime
    ) -> Bool {
        let key = waiter.waitingKey
        let held = waitersOfKey[key] ?? 0
        guard !hasEnded,
            FairShare.shortage(of: 1, held: held, free: waitersMax - waiterCount) == nil
        else { return false }
        waiterCount += 1
        waitersOfKey[key] = held + 1
        line(name).join(waiter, isFirst: isFirst, until: until)
        return true
    }

    /// Gives its place up without a word.
    func leave(_ waiter: any LimitWaiter, _ name: LimitName) {
        guard let line = lines[name], line.remove(waiter) else { return }
        left(waiter)
        dropIfIdle(name)
    }

    /// A message that had left a line first, or was a probe, has its end.
    /// - Parameter isAnswered: by a success or by another limit; else the next one asks again.
    func ended(_ name: LimitName, isAnswered: Bool) {
        if !isAnswered { memory.release(name) }
        guard let line = lines[name] else { return }
        line.leaderEnded()
        dropIfIdle(name)
    }

    private func line(_ name: LimitName) -> LimitLine {
        if let line = lines[name] { return line }
        lineCount += 1
        let line = LimitLine(
            name: name, number: lineCount, lines: self, memory: memory, loop: loop)
        lines[name] = line
        return line
    }

    /// A waiter has left its line.
    fileprivate func left(_ waiter: any LimitWaiter) {
        let key = waiter.waitingKey
        waiterCount -= 1
        let held = (waitersOfKey[key] ?? 1) - 1
        waitersOfKey[key] = held > 0 ? held : nil
    }

    fileprivate func dropIfIdle(_ name: LimitName) {
        guard let line = lines[name], line.isIdle else { return }
        line.end()
        lines[name] = nil
    }

    /// The loop has ended: no timer fires any more. What waits goes to the pool, which ends too.
    private func end() {
        hasEnded = true
        let all = lines.values.sorted { $0.number < $1.number }
        lines = [:]
        for line in all { line.endForGood() }
    }
}

/// One line: its messages in their order, and whether one of them is on its way.
private final class LimitLine: TimerHandler {
    private let name: LimitName
    /// The oldest line has the smallest.
    let number: Int
    private unowned let lines: LimitLines
    private let memory: RateLimitMemory
    private let loop: Loop
    private var waiters: [any LimitWaiter] = []
    private var isLeaderOut = false
    /// When the line looks again.
    private var wakeTime = MonotonicTime.never
    /// When the first of those that wait has to go or to be told.
    private var earliestStart = MonotonicTime.never
    private var timer: LoopTimer?

    /// Another loop asks the API; this one looks again after so long.
    private static let lookMilliseconds = 50

    init(
        name: LimitName, number: Int, lines: LimitLines, memory: RateLimitMemory, loop: Loop
    ) {
        self.name = name
        self.number = number
        self.lines = lines
        self.memory = memory
        self.loop = loop
        super.init()
        timer = LoopTimer(loop: loop, handler: self)
    }

    var isIdle: Bool { waiters.isEmpty && !isLeaderOut }

    func join(_ waiter: any LimitWaiter, isFirst: Bool, until: MonotonicTime) {
        waiters.insert(waiter, at: isFirst ? 0 : waiters.count)
        earliestStart = min(earliestStart, waiter.latestStart)
        if !isLeaderOut { wakeTime = min(wakeTime, max(until, loop.now)) }
        arm()
    }

    func remove(_ waiter: any LimitWaiter) -> Bool {
        guard let index = waiters.firstIndex(where: { $0 === waiter }) else { return false }
        waiters.remove(at: index)
        return true
    }

    func leaderLeft() { isLeaderOut = true }

    func leaderEnded() {
        isLeaderOut = false
        advance()
    }

    func end() {
        timer?.cancel()
        timer = nil
        waiters = []
    }

    func endForGood() {
        let all = waiters
        end()
        for waiter in all {
            lines.left(waiter)
            waiter.limitIsOver(name)
        }
    }

    override func timerFired(_ timer: LoopTimer) {
        advance()
        lines.dropIfIdle(name)
    }

    /// Lets the first one go, if it may; tells those that can't wait any longer.
    private func advance() {
        wakeTime = .never
        if loop.now >= earliestStart { refuse(until: loop.now) }
        if !isLeaderOut, !waiters.isEmpty {
            switch memory.find(name, at: loop.now, lease: lines.lease) {
            case .free, .probe: release()
            case .limited(let limit, let until):
                refuse(limit, until: until)
                wakeTime = until
            case .probed:
                wakeTime = loop.now.advanced(byMilliseconds: Self.lookMilliseconds)
            }
        }
        arm()
    }

    private func release() {
        isLeaderOut = true
        let first = waiters.removeFirst()
        lines.left(first)
        first.limitIsOver(name)
    }

    /// Tells those that must be on their way before `time`.
    private func refuse(
        _ limit: RateLimit = RateLimit(kind: "", retryAfterSeconds: nil),
        until time: MonotonicTime
    ) {
        let refused = waiters.filter { $0.latestStart < time }
        waiters.removeAll { $0.latestStart < time }
        earliestStart = waiters.map(\.latestStart).min() ?? .never
        for waiter in refused {
            lines.left(waiter)
            waiter.limitLasts(limit)
        }
    }

    private func arm() {
        guard !waiters.isEmpty else { return timer?.cancel() ?? () }
        let late = earliestStart.advanced(byMilliseconds: 1)
        timer?.arm(at: min(wakeTime, late))
    }
}
