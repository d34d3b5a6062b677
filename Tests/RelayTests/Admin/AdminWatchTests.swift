// Loops that do not answer, and what follows for health and readiness.

import Logging
import Reactor
import Testing

@testable import APIClient
@testable import Log
@testable import Relay

@Suite struct AdminWatchTests {
    private func time(_ milliseconds: Int) -> MonotonicTime {
        MonotonicTime(nanoseconds: 1).advanced(byMilliseconds: milliseconds)
    }

    @Test func aLoopIsStuckWhenItHasBeenSilentForSoLong() {
        var silence = LoopSilence(loopCount: 2, millisecondsMax: 10_000)
        silence.note([0], at: time(0))
        #expect(silence.stuck(at: time(9_999)) == [])
        #expect(silence.stuck(at: time(10_000)) == [1])
        silence.note([0], at: time(10_500))
        #expect(silence.stuck(at: time(10_500)) == [1])
        silence.note([0, 1], at: time(11_000))
        #expect(silence.stuck(at: time(11_000)) == [])
        // A single missed answer long after the last look says nothing yet.
        silence.note([0], at: time(900_000))
        #expect(silence.stuck(at: time(900_000)) == [])
    }

    private func snapshot(
        ready: Bool = true, silent: [Int] = [], _ change: (inout RelayFacts) -> Void = { _ in }
    ) -> RelaySnapshot {
        var facts = RelayFacts()
        facts.now = 1_000_000
        facts.certificateEnd = facts.now + 86_400
        change(&facts)
        let worker = WorkerSnapshot(
            index: 0, loop: LoopCounters(), gauges: LoopGauges(), counters: RelayCounters(),
            listeners: [ListenerCounters()],
            pool: PoolReport(
                counters: PoolCounters(), addresses: [], queued: 0, isReady: ready),
            keyChecks: KeyCheckCounts(), sessions: 0)
        return RelaySnapshot(workers: [worker], silentLoops: silent, facts: facts)
    }

    @Test func readiness() {
        func reasons(_ snapshot: RelaySnapshot) -> [String] { Readiness(snapshot).reasons }
        #expect(reasons(snapshot()) == [])
        #expect(reasons(snapshot { $0.certificateEnd = nil }) == [])
        #expect(reasons(snapshot { $0.isDraining = true }) == ["draining"])
        #expect(reasons(snapshot(ready: false)) == ["no address of the API is usable"])
        #expect(
            reasons(snapshot { $0.certificateEnd = $0.now + 86_399 })
                == ["the certificate ends within a day"])
        #expect(
            reasons(snapshot { $0.certificateEnd = $0.now }) == ["the certificate has ended"])
        #expect(reasons(snapshot(silent: [0])) == ["no loop answers"])
        #expect(reasons(snapshot(ready: false) { $0.isDraining = true }).count == 2)
    }

    /// A worker on a loop that makes no turn: it cannot answer, and delays no one.
    @Test func aLoopThatDoesNotAnswerIsLeftOut() throws {
        let shared = try SubmissionBench().worker.shared
        let busy = Worker(loop: try Loop(index: 1, backend: .epoll), shared: shared)
        let roster = WorkerRoster()
        roster.enter(busy)
        let asking = try Loop(index: 0, backend: .epoll)
        roster.enter(Worker(loop: asking, shared: shared))
        var found: [Int: Int]?
        let start = MonotonicTime.readClock()
        LoopSurvey(
            on: asking, of: roster, loopCount: 2, timeoutMilliseconds: 50,
            { $0.sessions.count }, whenDone: { found = $0 })
        while found == nil { asking.tick() }
        #expect(found == [0: 0])
        #expect(MonotonicTime.readClock().milliseconds(since: start) >= 40)
        // No one waits for the late answer any more.
        busy.loop.tick()
        asking.tick()
        #expect(found == [0: 0])
        for loop in [busy.loop, asking] {
            loop.stop()
            loop.run()
        }
    }

    @Test func theLevelOfTheLogChanges() {
        let control = LogControl(level: .info)
        #expect(control.allows(.info) && control.allows(.critical) && !control.allows(.debug))
        for level in Logger.Level.allCases {
            control.level = level
            #expect(control.level == level)
            for other in Logger.Level.allCases {
                #expect(control.allows(other) == (other >= level))
            }
        }
    }
}
