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
        // Another opening is under way, which may succeed.
        bench.machine.openingFailed(0, at: .at(5))
        #expect(bench.verdicts(at: 5) == ["limited a 1 250"])
        #expect(bench.machine.isReady(at: .at(5)))
        // It fails for the same reason: no longer rest.
        bench.machine.openingFailed(1, at: .at(7))
        #expect(
            bench.verdicts(at: 7) == ["rests a 248", "fail 0 noAddress", "fail 1 noAddress"])
        #expect(!bench.machine.isReady(at: .at(8)))
        bench.submit()
        #expect(bench.verdicts(at: 8).map { $0.suffix(9) } == ["noAddress"])
        bench.submit()
        #expect(bench.verdicts(at: 255) == ["open 1 a"])
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
        bench.opened(0, at: now)
        #expect(bench.verdicts(at: now).first == "back a")
        bench.broke(0, isFault: true, at: .at(now))
        bench.machine.closed(0)
        bench.submit()
        #expect(bench.verdicts(at: now) == ["open 0 a"])
        bench.machine.openingFailed(0, at: .at(now))
        #expect(bench.verdicts(at: now).first == "rests a 100")
    }

    @Test("Calls wait for an address that answered within ten seconds, and it is tried each second")
    func awaited() {
        var bench = PoolBench.resolved(1)
        bench.submit()
        _ = bench.verdicts()
        bench.opened(0)
        _ = bench.verdicts()
        bench.answered(0, isReusable: false, at: 100)
        bench.machine.closed(0)
        bench.submit()
        #expect(bench.verdicts(at: 100) == ["open 0 a"])
        var now = 100
        for rest in [250, 500] + Array(repeating: 1_000, count: 9) {
            bench.machine.openingFailed(0, at: .at(now))
            #expect(bench.verdicts(at: now) == ["rests a \(rest)"])
            #expect(bench.machine.wakeTime == .at(now + rest))
            now += rest
            #expect(bench.verdicts(at: now) == ["open 0 a"])
        }
        // It answered 9,750 ms ago.
        bench.machine.openingFailed(0, at: .at(now))
        #expect(bench.verdicts(at: now) == ["rests a 1000"])
        #expect(bench.machine.wakeTime == .at(10_100))
        #expect(bench.verdicts(at: 10_100).map { $0.suffix(9) } == ["noAddress"])
        bench.submit()
        #expect(bench.verdicts(at: 10_101).map { $0.suffix(9) } == ["noAddress"])
        bench.submit()
        #expect(bench.verdicts(at: now + 1_000) == ["open 0 a"])
        bench.machine.openingFailed(0, at: .at(now + 1_000))
        #expect(bench.verdicts(at: now + 1_000).first == "rests a 1000")
        bench.submit()
        #expect(bench.verdicts(at: now + 2_000).last == "open 0 a")
        bench.machine.openingFailed(0, at: .at(now + 2_000))
        #expect(bench.verdicts(at: now + 2_000).first == "rests a 2000")
    }

    @Test("A resting address loses its idle connections; a call's answer brings it back")
    func restClosesIdle() {
        var bench = PoolBench.resolved(1, limits: PoolMachine.Limits(brokenCallsMax: 1))
        for _ in 0..<4 { bench.submit() }
        #expect(bench.verdicts().count == 4)
        for connection: ConnectionNumber in [0, 1, 2] { bench.opened(connection) }
        _ = bench.verdicts()
        bench.answered(0, isReusable: true)
        _ = bench.verdicts()
        bench.answered(0, isReusable: true)
        bench.broke(2, isFault: true, at: .at(50))
        #expect(bench.verdicts(at: 50) == ["rests a 250", "close 0"])
        // It began before the calls broke, so it says nothing about them.
        bench.opened(3, at: 51)
        #expect(bench.verdicts(at: 51) == ["close 3"])
        #expect(!bench.machine.isReady(at: .at(51)))
        bench.answered(1, isReusable: true, at: 52)
        #expect(bench.verdicts(at: 52) == ["back a"])
        #expect(bench.machine.isReady(at: .at(52)))
    }

    @Test("A failed opening leaves the connections that work; the number rises again by doubling")
    func limited() {
        var bench = PoolBench.resolved(1, limits: PoolMachine.Limits(openingMax: 6))
        for _ in 0..<20 { bench.submit() }
        #expect(bench.verdicts().count == 6)
        bench.machine.openingFailed(0, at: .at(10))
        #expect(bench.verdicts(at: 10) == ["limited a 1 250"])
        bench.machine.openingFailed(1, at: .at(10))
        for connection: ConnectionNumber in [2, 3, 4, 5] { bench.opened(connection, at: 11) }
        #expect(bench.verdicts(at: 11).map { $0.prefix(6) } == Array(repeating: "assign", count: 4))
        #expect(bench.machine.wakeTime == .at(260))
        // Connections that are used again carry calls meanwhile; one that closes is replaced.
        bench.answered(2, isReusable: true, at: 20)
        #expect(bench.verdicts(at: 20).map { $0.suffix(4) } == ["to 2"])
        bench.answered(3, isReusable: false, at: 21)
        bench.machine.closed(3)
        #expect(bench.verdicts(at: 21).map { $0.prefix(4) } == ["open"])
        bench.opened(3, at: 22)
        #expect(bench.verdicts(at: 22).map { $0.suffix(4) } == ["to 3"])
        // After the rest one opening tries; its failure rests longer.
        #expect(bench.verdicts(at: 259) == [])
        #expect(bench.verdicts(at: 260).map { $0.prefix(4) } == ["open"])
        let report = bench.machine.addressReports[0]
        #expect((report.health, report.opening, report.busy) == (.healthy, 1, 4))
        bench.machine.openingFailed(1, at: .at(261))
        #expect(bench.verdicts(at: 261) == ["limited a 4 500"])
        // Its success doubles the number.
        #expect(bench.verdicts(at: 761).map { $0.prefix(4) } == ["open"])
        bench.opened(1, at: 762)
        #expect(bench.verdicts(at: 762).count == 5, "one is assigned, three open, and one tries")
        #expect(bench.machine.counts.openingsHeld == 1, "all of it was one time")
    }

    @Test("An opening that began before the rest and succeeds does not end it")
    func earlySuccess() {
        var bench = PoolBench.resolved(1, limits: PoolMachine.Limits(connectionsMax: 3))
        for _ in 0..<9 { bench.submit() }
        #expect(bench.verdicts().count == 3)
        bench.opened(0, at: 1)
        _ = bench.verdicts(at: 1)
        bench.machine.openingFailed(1, at: .at(2))
        #expect(bench.verdicts(at: 2).last == "limited a 1 250")
        bench.opened(2, at: 3)
        #expect(bench.verdicts(at: 3).map { $0.suffix(4) } == ["to 2"])
        #expect(bench.verdicts(at: 4) == [], "the third has to rest")
        bench.answered(0, isReusable: false, at: 4)
        bench.machine.closed(0)
        #expect(bench.verdicts(at: 4) == ["open 0 a"], "two are known to work")
        bench.machine.openingFailed(0, at: .at(5))
        #expect(bench.verdicts(at: 5) == ["limited a 1 500"])
    }

    @Test("Calls that break in a row make an address rest; abandoned ones do not count")
    func brokenCalls() {
        var bench = PoolBench.resolved(1, limits: PoolMachine.Limits(brokenCallsMax: 2))
        for (round, isFault) in [true, false, true].enumerated() {
            bench.submit()
            _ = bench.verdicts(at: round)
            bench.opened(0)
            _ = bench.verdicts(at: round)
            bench.broke(0, isFault: isFault, at: .at(round))
            #expect(bench.verdicts(at: round) == (round == 2 ? ["rests a 250"] : []))
            bench.machine.closed(0)
        }
    }

    @Test("Faults of one customer at one time count once, and alone they are not enough")
    func faultsByFlow() {
        var bench = PoolBench.resolved(1, limits: PoolMachine.Limits(brokenCallsMax: 3))
        for flow in [0, 0, 0, 0, 0, 0, 1, 1] { bench.submit(of: flow) }
        let count = bench.verdicts().count
        #expect(count == 8)
        for number in 0..<8 { bench.opened(ConnectionNumber(value: number)) }
        let assigned = bench.verdicts()
        let second = assigned.indices.filter {
            assigned[$0].hasPrefix("assign 6 ") || assigned[$0].hasPrefix("assign 7 ")
        }
        .map { ConnectionNumber(value: Int(assigned[$0].split(separator: " ")[3])!) }
        let first = (0..<8).map { ConnectionNumber(value: $0) }.filter { !second.contains($0) }
        bench.broke(first[0], isFault: true, at: .at(1))
        bench.broke(first[1], isFault: true, at: .at(1))
        bench.broke(first[2], isFault: true, at: .at(2))
        bench.broke(first[3], isFault: true, at: .at(3))
        bench.broke(first[4], isFault: true, at: .at(4))
        #expect(!bench.verdicts(at: 4).contains { $0.hasPrefix("rests") })
        bench.broke(second[0], isFault: true, at: .at(5))
        #expect(bench.verdicts(at: 5).contains("rests a 250"))
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
