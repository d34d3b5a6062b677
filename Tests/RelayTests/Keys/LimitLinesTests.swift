// Lines of messages that wait for the end of a limit: who goes first, who is told, and who has room.

import Reactor
import TestSupport
import Testing

@testable import APIClient
@testable import Relay

@Suite("Lines for limits")
struct LimitLinesTests {
    private final class Waiter: LimitWaiter {
        let waitingKey: APIKey.Hash
        let latestStart: MonotonicTime
        var isOver = false
        var limit: RateLimit?

        init(_ bench: Bench, seconds: Int = 10, key: UInt64 = 1) {
            waitingKey = APIKey.Hash(high: key, low: key)
            latestStart = bench.loop.now.advanced(byMilliseconds: seconds * 1_000)
        }

        func limitIsOver(_ name: LimitName) { isOver = true }
        func limitLasts(_ limit: RateLimit) { self.limit = limit }
    }

    private let bench = Bench()
    private let memory = RateLimitMemory()
    private let name = LimitName.domain("shop.example", of: APIKey.Hash(high: 1, low: 1))

    private func lines(waitersMax: Int = 100) -> LimitLines {
        LimitLines(loop: bench.loop, memory: memory, waitersMax: waitersMax, lease: 5_000)
    }

    private func limit(seconds: Int) -> MonotonicTime {
        memory.record(
            RateLimit(kind: "minute", retryAfterSeconds: seconds), on: name, at: bench.loop.now)
            ?? .never
    }

    @Test("The first goes alone when the time is over, and each success releases the next")
    func chain() {
        let lines = lines()
        let until = limit(seconds: 1)
        let waiters = (0..<3).map { _ in Waiter(bench) }
        for waiter in waiters { #expect(lines.join(waiter, name, until: until)) }
        #expect(lines.count == 3)
        bench.turn { waiters[0].isOver }
        #expect(bench.loop.now >= until)
        bench.turn(milliseconds: 100)
        #expect(waiters.map(\.isOver) == [true, false, false], "a probe is alone")
        guard case .probed = lines.find(name) else {
            Issue.record("a newcomer waits after those that wait")
            return
        }
        for number in 0..<3 {
            memory.end(name)
            lines.ended(name, isAnswered: true)
            #expect(waiters.filter(\.isOver).count == min(number + 2, 3))
        }
        #expect(lines.isEmpty && lines.count == 0)
        #expect(lines.find(name) == .free)
    }

    @Test("Another limit in reply to the probe: who can wait goes on waiting, the others are told")
    func again() {
        let lines = lines()
        let until = limit(seconds: 1)
        let (probe, short, long) = (Waiter(bench), Waiter(bench, seconds: 2), Waiter(bench))
        for waiter in [probe, short, long] { #expect(lines.join(waiter, name, until: until)) }
        bench.turn { probe.isOver }
        let later = limit(seconds: 3)
        #expect(lines.join(probe, name, isFirst: true, until: later))
        lines.ended(name, isAnswered: true)
        #expect(short.limit?.retryAfterSeconds == 3 && !short.isOver)
        #expect(long.limit == nil && !long.isOver && lines.count == 2)
        lines.leave(probe, name)
        lines.leave(long, name)
        #expect(lines.isEmpty && lines.count == 0)
    }

    @Test("A probe that comes to nothing lets the next one ask")
    func nothing() {
        let lines = lines()
        let until = limit(seconds: 1)
        let waiters = [Waiter(bench), Waiter(bench)]
        for waiter in waiters { #expect(lines.join(waiter, name, until: until)) }
        bench.turn { waiters[0].isOver }
        lines.ended(name, isAnswered: false)
        #expect(waiters[1].isOver)
        lines.ended(name, isAnswered: false)
        #expect(lines.isEmpty)
    }

    @Test("Who waits while a probe hangs is told in time")
    func hanging() {
        let lines = lines()
        let until = limit(seconds: 1)
        let (probe, other) = (Waiter(bench), Waiter(bench, seconds: 2))
        for waiter in [probe, other] { #expect(lines.join(waiter, name, until: until)) }
        bench.turn { other.limit != nil }
        #expect(probe.isOver && !other.isOver && lines.count == 0)
        lines.ended(name, isAnswered: false)
        #expect(lines.isEmpty)
    }

    @Test("Places are shared by key: one may hold as many as are free")
    func places() {
        let lines = lines(waitersMax: 10)
        let until = limit(seconds: 5)
        let greedy = (0..<10).map { _ in Waiter(bench) }
        let taken = greedy.filter { lines.join($0, name, until: until) }
        #expect(taken.count == 5)
        let other = Waiter(bench, key: 2)
        #expect(lines.join(other, name, until: until))
        for waiter in taken { lines.leave(waiter, name) }
        #expect(lines.count == 1)
        lines.leave(other, name)
    }
}
