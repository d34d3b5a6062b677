// Which address gets the calls, which one rests, and how it comes back into use.

import Reactor
import Testing

@testable import APIClient

@Suite("Pool machine: addresses")
struct AddressTableTests {
    @Test("With no address a call fails at once, but only after the first answer")
    func noAddress() {
        var bench = PoolBench(1)
        bench.submit()
        #expect(bench.verdicts() == [])
        #expect(!bench.machine.isReady(at: .at(0)))
        bench.machine.resolutionFailed()
        #expect(bench.verdicts() == ["fail 0 noAddress"])
        bench.machine.resolved(bench.all)
        #expect(bench.machine.isReady(at: .at(0)))
    }

    @Test("The last good answer is kept when resolution fails or is empty")
    func keepsAnswer() {
        var bench = PoolBench.resolved(1)
        bench.machine.resolutionFailed()
        bench.machine.resolved([])
        bench.submit()
        #expect(bench.verdicts() == ["open 0 a"])
    }

    @Test("Every address gets a first connection; calls go where the fewest are in flight")
    func fewestInFlight() {
        var bench = PoolBench.resolved(3)
        bench.submit()
        #expect(bench.verdicts() == ["open 0 a", "open 1 b", "open 2 c"])
        for connection: ConnectionNumber in [0, 1, 2] { bench.opened(connection) }
        #expect(bench.verdicts() == ["assign 0 to 0"])
        bench.submit()
        bench.submit()
        let assigned = bench.verdicts()
        #expect(Set(assigned.map { $0.suffix(4) }) == ["to 1", "to 2"])
        bench.answered(1, isReusable: true)
        bench.submit()
        #expect(bench.verdicts().map { $0.suffix(4) } == ["to 1"])
    }

    @Test("One dead address of three: the others carry on, the dead one rests")
    func oneDead() {
        var bench = PoolBench.resolved(3)
        bench.submit()
        _ = bench.verdicts()
        bench.machine.openingFailed(0, at: .at(10))
        #expect(bench.verdicts(at: 10) == ["rests a 250"])
        bench.opened(1)
        #expect(bench.verdicts(at: 11) == ["assign 0 to 1"])
        bench.submit()
        bench.submit()
        let opened = bench.verdicts(at: 12)
        #expect(opened.count == 1 && !opened[0].hasSuffix("a"))
    }

    @Test("When the last address fails, the whole queue fails at once")
    func allDead() {
        var bench = PoolBench.resolved(1)
        bench.submit()
        bench.submit()
        #expect(bench.verdicts() == ["open 0 a", "open 1 a"])
        bench.machine.openingFailed(0, at: .at(5))
        #expect(
            bench.verdicts(at: 5) == ["rests a 250", "fail 0 noAddress", "fail 1 noAddress"])
        bench.submit()
        #expect(bench.verdicts(at: 6).map { $0.suffix(9) } == ["noAddress"])
        #expect(!bench.machine.isReady(at: .at(6)))
        // The second connection fails for the same reason: no longer rest.
        bench.machine.openingFailed(1, at: .at(7))
        #expect(bench.verdicts(at: 7) == [])
    }

    @Test("Rests double up to the cap, one probe at a time, and success forgets them")
    func backoff() {
        var bench = PoolBench.resolved(
            1, limits: PoolMachine.Limits(restMillisecondsMin: 100, restMillisecondsMax: 500))
        var now = 0
        for (round, rest) in [100, 200, 400, 500, 500].enumerated() {
            bench.submit()
            if round > 0 { bench.submit() }
            #expect(bench.verdicts(at: now) == ["open 0 a"])
            bench.machine.openingFailed(0, at: .at(now))
            #expect(bench.verdicts(at: now).first == "rests a \(rest)")
            #expect(!bench.machine.isReady(at: .at(now + rest - 1)))
            now += rest
            #expect(bench.machine.isReady(at: .at(now)))
        }
        bench.submit()
        #expect(bench.verdicts(at: now) == ["open 0 a"])
        bench.opened(0)
        #expect(bench.verdicts(at: now).first == "back a")
        bench.machine.broke(0, isFault: true, at: .at(now))
        bench.machine.closed(0)
        bench.submit()
        #expect(bench.verdicts(at: now) == ["open 0 a"])
        bench.machine.openingFailed(0, at: .at(now))
        #expect(bench.verdicts(at: now).first == "rests a 100")
    }

    @Test("A resting address loses its idle connections; a call's answer brings it back")
    func restClosesIdle() {
        var bench = PoolBench.resolved(1)
        for _ in 0..<3 { bench.submit() }
        #expect(bench.verdicts().count == 3)
        bench.opened(0)
        bench.opened(1)
        _ = bench.verdicts()
        bench.answered(0, isReusable: true)
        _ = bench.verdicts()
        bench.answered(0, isReusable: true)
        bench.machine.openingFailed(2, at: .at(50))
        #expect(bench.verdicts(at: 50) == ["rests a 250", "close 0"])
        bench.answered(1, isReusable: true)
        #expect(bench.verdicts(at: 51) == ["back a"])
        #expect(bench.machine.isReady(at: .at(51)))
    }

    @Test("Calls that break in a row make an address rest; abandoned ones do not count")
    func brokenCalls() {
        var bench = PoolBench.resolved(1, limits: PoolMachine.Limits(brokenCallsMax: 2))
        for (round, isFault) in [true, false, true].enumerated() {
            bench.submit()
            _ = bench.verdicts(at: round)
            bench.opened(0)
            _ = bench.verdicts(at: round)
            bench.machine.broke(0, isFault: isFault, at: .at(round))
            #expect(bench.verdicts(at: round) == (round == 2 ? ["rests a 250"] : []))
            bench.machine.closed(0)
        }
    }

    @Test("An address that is listed no more gets no new connections and loses its idle ones")
    func unlisted() {
        var bench = PoolBench.resolved(2)
        bench.submit()
        _ = bench.verdicts()
        bench.opened(0)
        _ = bench.verdicts()
        bench.opened(1)
        bench.machine.resolved([bench.all[1]])
        #expect(bench.verdicts() == [])
        bench.answered(0, isReusable: true)
        #expect(bench.verdicts() == ["close 0"])
        bench.machine.closed(0)
        bench.machine.resolved([bench.all[0]])
        #expect(bench.verdicts() == ["close 1"])
        bench.submit()
        #expect(bench.verdicts() == ["open 0 a"])
    }
}
