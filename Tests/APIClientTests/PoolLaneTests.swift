// HTTP/2: connections that carry many calls. How many, when a further one opens, and how one ends.

import Reactor
import Testing

@testable import APIClient

@Suite("Pool machine: HTTP/2")
struct PoolLaneTests {
    private static let limits = PoolMachine.Limits(offersHTTP2: true)

    /// A pool of one address with one HTTP/2 connection, idle.
    private func single(
        streams: Int, _ limits: PoolMachine.Limits = PoolLaneTests.limits
    ) -> PoolBench {
        var bench = PoolBench.resolved(1, limits: limits)
        bench.submit()
        #expect(bench.verdicts() == ["open 0 a"])
        bench.opened(0, streams: streams)
        #expect(bench.verdicts() == ["assign 0 to 0"])
        bench.answered(0, isReusable: true)
        #expect(bench.verdicts() == [])
        return bench
    }

    private func submit(_ count: Int, to bench: inout PoolBench, at now: Int = 0) -> [String] {
        for _ in 0..<count { bench.submit(at: now) }
        return bench.verdicts(at: now)
    }

    // MARK: - What an address speaks

    @Test("A burst opens one connection to an address of which nothing is known")
    func unknown() {
        var bench = PoolBench.resolved(1, limits: Self.limits)
        #expect(submit(40, to: &bench) == ["open 0 a"])
        #expect(bench.machine.addressReports[0].version == .unknown)
        // It speaks HTTP/1.1: the others open at once.
        bench.opened(0)
        let verdicts = bench.verdicts()
        #expect(verdicts.first == "assign 0 to 0" || verdicts.first?.hasSuffix("to 0") == true)
        #expect(verdicts.filter { $0.hasPrefix("open") }.count == 32)
        #expect(bench.machine.addressReports[0].version == .http1)
    }

    @Test("An HTTP/2 connection takes as many calls as its peer allows, and 256 at most")
    func streams() {
        for (streams, count) in [(1, 1), (100, 100), (256, 256), (1_000_000, 256)] {
            var bench = PoolBench.resolved(1, limits: Self.limits)
            #expect(submit(300, to: &bench) == ["open 0 a"])
            bench.opened(0, streams: streams)
            let verdicts = bench.verdicts()
            #expect(verdicts.filter { $0.hasSuffix("to 0") }.count == count)
            // A further one opens only for those that have no room, and only one.
            #expect(verdicts.filter { $0.hasPrefix("open") } == ["open 1 a"])
            let report = bench.machine.addressReports[0]
            #expect(report.version == .http2 && report.callsInFlight == count)
            #expect((report.busy, report.opening, report.calls) == (1, 1, count))
        }
    }

    @Test("Calls go to the connection that carries fewest")
    func fewest() {
        var bench = single(streams: 2)
        #expect(submit(3, to: &bench).suffix(1) == ["open 1 a"])
        bench.opened(1, streams: 3)
        #expect(bench.verdicts().map { $0.suffix(4) } == ["to 1"])
        #expect(submit(1, to: &bench).map { $0.suffix(4) } == ["to 1"])
        bench.answered(0, isReusable: true)
        bench.answered(0, isReusable: true)
        #expect(submit(2, to: &bench).map { $0.suffix(4) } == ["to 0", "to 0"])
        #expect(submit(1, to: &bench).map { $0.suffix(4) } == ["to 1"])
    }

    @Test("Several addresses are used side by side")
    func sideBySide() {
        var bench = PoolBench.resolved(2, limits: Self.limits)
        #expect(submit(6, to: &bench) == ["open 0 a", "open 1 b"])
        bench.opened(0, streams: 100)
        bench.opened(1, streams: 100)
        let verdicts = bench.verdicts()
        #expect(verdicts.filter { $0.hasSuffix("to 0") }.count == 3)
        #expect(verdicts.filter { $0.hasSuffix("to 1") }.count == 3)
    }

    @Test("An address that refuses HTTP/2 is used over HTTP/1.1 from then on")
    func refusesHTTP2() {
        var bench = single(streams: 100)
        #expect(submit(2, to: &bench).map { $0.suffix(4) } == ["to 0", "to 0"])
        bench.machine.demandedHTTP1(0)
        bench.broke(0, isFault: false, at: .at(0))
        bench.submit(isRetry: true)
        #expect(bench.verdicts() == ["http1 a", "open 1 a"])
        #expect(bench.machine.isHTTP1Demanded(on: 1))
        bench.opened(1)
        #expect(bench.verdicts().map { $0.suffix(4) } == ["to 1"])
        // The other one's reset says the same; then the connection has no call any more.
        bench.machine.demandedHTTP1(0)
        bench.broke(0, isFault: false, at: .at(0))
        #expect(bench.verdicts() == ["close 0"])
        bench.machine.closed(0)
        // As over HTTP/1.1, each further call opens a connection.
        #expect(submit(3, to: &bench) == ["open 0 a", "open 2 a", "open 3 a"])
        #expect(bench.machine.addressReports[0].version == .http1)
    }

    @Test("When an address rests it is forgotten that it refused HTTP/2")
    func refusesHTTP2UntilItRests() {
        var bench = single(streams: 100)
        bench.machine.demandedHTTP1(0)
        #expect(bench.verdicts() == ["http1 a", "close 0", "open 1 a"])
        bench.machine.closed(0)
        // It does not speak HTTP/1.1.
        bench.machine.openingFailed(1, at: .at(0))
        #expect(bench.verdicts().prefix(1) == ["rests a 250"])
        bench.submit(at: 20_000)
        let open = bench.verdicts(at: 20_000)
        #expect(open.count == 1 && open[0].hasPrefix("open"))
        #expect(bench.machine.addressReports[0].version == .unknown)
        for connection in 0...1 {
            let number = ConnectionNumber(value: connection)
            guard bench.machine.state(of: number) == .opening else { continue }
            #expect(!bench.machine.isHTTP1Demanded(on: number))
        }
    }

    @Test(
        "An HTTP/2 connection that was idle, or opening, when its address refused HTTP/2 is closed")
    func refusesHTTP2Meanwhile() {
        var bench = single(streams: 1)
        bench.machine.demandedHTTP1(0)
        #expect(bench.verdicts().prefix(2) == ["http1 a", "close 0"])
        var other = single(streams: 1)
        #expect(submit(2, to: &other).suffix(1) == ["open 1 a"])
        other.machine.demandedHTTP1(0)
        #expect(other.verdicts().prefix(1) == ["http1 a"])
        other.opened(1, streams: 1)
        #expect(other.verdicts().contains("close 1"))
        #expect(other.machine.addressReports[0].version == .http1)
    }

    @Test("An address with servers of both kinds keeps connections of both kinds")
    func mixed() {
        var bench = single(streams: 1)
        #expect(submit(3, to: &bench).suffix(1) == ["open 1 a"])
        bench.opened(1)
        let verdicts = bench.verdicts()
        #expect(verdicts.contains { $0.hasSuffix("to 1") })
        // By the connection that opened last it speaks HTTP/1.1.
        #expect(verdicts.suffix(1) == ["open 2 a"])
        bench.answered(1, isReusable: true)
        #expect(bench.verdicts().map { $0.suffix(4) } == ["to 1"])
        bench.opened(2, streams: 1)
        bench.answered(0, isReusable: false)
        bench.answered(1, isReusable: false)
        bench.machine.closed(1)
        #expect(submit(2, to: &bench).count == 2)
        #expect(bench.machine.connectionCount == 2)
    }

    // MARK: - Shares

    @Test("There are so many connections and no more, however many wait")
    func connectionsMax() {
        var bench = single(
            streams: 2, PoolMachine.Limits(http2ConnectionsMax: 3, offersHTTP2: true))
        _ = submit(20, to: &bench)
        bench.opened(1, streams: 2)
        #expect(bench.verdicts().suffix(1) == ["open 2 a"])
        bench.opened(2, streams: 2)
        // One of six streams is for checks of keys.
        #expect(bench.verdicts().count == 1)
        bench.submit(.check)
        #expect(bench.verdicts().map { $0.suffix(4) } == ["to 2"])
        bench.submit(.check)
        #expect(bench.verdicts() == [])
        #expect(bench.machine.addressReports[0].callsInFlight == 6)
        bench.answered(0, isReusable: true)
        #expect(bench.verdicts().map { $0.suffix(4) } == ["to 0"], "the check is first")
    }

    @Test("Uploads hold half of the streams that there can be, one customer's half of the rest")
    func uploads() {
        var bench = single(
            streams: 10, PoolMachine.Limits(http2ConnectionsMax: 2, offersHTTP2: true))
        for _ in 0..<30 { bench.submit(.fastUpload) }
        #expect(bench.verdicts().count == 5)
        for _ in 0..<30 { bench.submit(.fastUpload, of: 1) }
        #expect(bench.verdicts().count == 2 + 1, "eight at least")
        #expect(bench.machine.holdings(of: bench.flow(0)).uploads == 5)
        let held = bench.machine.holdings(of: bench.flow(1)).uploads
        #expect(held >= 2 && held <= 5)
        // Complete messages have the rest.
        for _ in 0..<4 { bench.submit(of: 2) }
        #expect(bench.verdicts().filter { $0.hasPrefix("assign") }.count >= 2)
    }

    @Test("A peer that takes fewer streams than before, or none, gets no more calls than that")
    func streamsChanged() {
        var bench = single(streams: 4)
        #expect(submit(4, to: &bench).count == 4)
        bench.machine.streamsChanged(0, to: 2)
        #expect(submit(1, to: &bench) == ["open 1 a"])
        for _ in 0..<2 {
            bench.answered(0, isReusable: true)
            #expect(bench.verdicts() == [])
        }
        bench.answered(0, isReusable: true)
        #expect(bench.verdicts().map { $0.suffix(4) } == ["to 0"])
        bench.machine.streamsChanged(0, to: 0)
        bench.answered(0, isReusable: true)
        bench.answered(0, isReusable: true)
        #expect(submit(1, to: &bench) == [], "one is opening")
        bench.machine.streamsChanged(0, to: 1)
        #expect(bench.verdicts().map { $0.suffix(4) } == ["to 0"])
        bench.opened(1, streams: 0)
        #expect(submit(1, to: &bench) == ["open 2 a"])
    }

    @Test("A new connection gets no more calls than the settings of the last one allowed")
    func streamsSaid() {
        var bench = single(streams: 100)
        bench.machine.streamsChanged(0, to: 2)
        #expect(submit(9, to: &bench).filter { $0.hasSuffix("to 0") }.count == 2)
        bench.opened(1, streams: 100)
        #expect(bench.verdicts().filter { $0.hasSuffix("to 1") }.count == 2)
        bench.machine.streamsChanged(1, to: 3)
        #expect(bench.verdicts().map { $0.suffix(4) } == ["to 1"])
    }

    @Test(
        "Uploads that hold every stream of a peer that takes fewer now give one to those that wait")
    func reclaim() {
        var bench = single(
            streams: 8, PoolMachine.Limits(http2ConnectionsMax: 1, offersHTTP2: true))
        for flow in 0..<4 { bench.submit(.fastUpload, of: flow) }
        #expect(bench.verdicts().count == 4)
        bench.machine.streamsChanged(0, to: 4)
        bench.submit(.complete, of: 5)
        // One stream of four is for checks of keys.
        let verdicts = bench.verdicts(at: 1)
        #expect(verdicts.map { $0.prefix(9) } == ["break off", "break off", "assign 3 "])
        #expect(bench.machine.counts.uploadsBrokenOff == 2)
        bench.submit(.complete, of: 5)
        #expect(bench.verdicts(at: 2) == [], "two are the share of uploads")
    }

    // MARK: - Ends

    @Test("After GOAWAY nothing is put on a connection, its calls end, and the next one is warm")
    func retiring() {
        var bench = single(streams: 10)
        #expect(submit(3, to: &bench).count == 3)
        bench.machine.retiring(0, isByPeer: true, at: .at(5))
        bench.machine.retiring(0, isByPeer: true, at: .at(5))
        #expect(bench.verdicts(at: 5) == ["open 1 a"], "before the next call comes")
        #expect(submit(1, to: &bench, at: 6) == [])
        bench.opened(1, streams: 10, at: 7)
        #expect(bench.verdicts(at: 7).map { $0.suffix(4) } == ["to 1"])
        bench.answered(0, isReusable: true, at: 8)
        bench.broke(0, isFault: true, at: .at(9))
        #expect(bench.verdicts(at: 9) == [])
        #expect(bench.machine.state(of: 0) == .retiring)
        #expect(bench.answered(0, isReusable: true, at: 10) == .never)
        #expect(bench.verdicts(at: 10) == ["close 0"])
        bench.machine.closed(0)
        #expect(bench.machine.connectionCount == 1)
    }

    @Test("GOAWAY on an idle connection is its end, and its age is learnt")
    func retiringIdle() {
        var bench = single(streams: 10)
        bench.machine.retiring(0, isByPeer: true, at: .at(6_000))
        #expect(bench.verdicts(at: 6_000) == ["close 0"])
        bench.machine.closed(0)
        #expect(submit(1, to: &bench, at: 6_000) == ["open 0 a"])
        #expect(bench.opened(0, streams: 10, at: 6_001) == .at(11_001), "6 s less one")
    }

    @Test("A connection whose stream numbers are used up is replaced in the same way")
    func wornByUs() {
        var bench = single(streams: 10)
        #expect(submit(1, to: &bench).count == 1)
        bench.machine.retiring(0, isByPeer: false, at: .at(1))
        #expect(bench.verdicts(at: 1) == ["open 1 a"])
    }

    @Test(
        "Where the API takes so many calls on a connection, the next is open before the last of them"
    )
    func learntNumber() {
        var bench = single(streams: 10)
        for round in 1..<100 {
            #expect(submit(1, to: &bench, at: round).count == 1)
            if round < 99 { bench.answered(0, isReusable: true, at: round) }
        }
        bench.machine.retiring(0, isByPeer: true, at: .at(100))
        #expect(bench.verdicts(at: 100) == ["open 1 a"])
        bench.opened(1, streams: 10, at: 101)
        bench.answered(0, isReusable: true, at: 102)
        #expect(bench.verdicts(at: 102) == ["close 0"])
        bench.machine.closed(0)
        var opened: [Int] = []
        for round in 1...100 {
            let verdicts = submit(1, to: &bench, at: 200 + round)
            if verdicts.contains("open 0 a") { opened.append(round) }
            bench.answered(1, isReusable: true, at: 200 + round)
        }
        #expect(opened == [88], "an eighth before the end")
        #expect(bench.machine.connectionCount == 2)
    }

    @Test("A connection that fails is one fault, however many calls it carried")
    func failure() {
        let limits = PoolMachine.Limits(offersHTTP2: true, brokenCallsMax: 2)
        var bench = single(streams: 10, limits)
        for flow in 0..<4 { bench.submit(of: flow) }
        #expect(bench.verdicts().count == 4)
        for lane in bench.lanes[0] ?? [] { bench.broke(lane: lane, isFault: true, at: .at(1)) }
        bench.machine.closed(0)
        for flow in 0..<4 { bench.submit(of: flow, at: 2) }
        #expect(bench.verdicts(at: 2) == ["open 0 a"], "it does not rest")
        bench.opened(0, streams: 10, at: 3)
        #expect(bench.verdicts(at: 3).count == 4)
        for lane in bench.lanes[0] ?? [] { bench.broke(lane: lane, isFault: true, at: .at(4)) }
        bench.machine.closed(0)
        #expect(bench.verdicts(at: 4).first == "rests a 250", "two in a row")
        #expect(bench.machine.addressReports[0].version == .unknown)
    }

    @Test("A call that breaks alone leaves the others and the connection")
    func brokenLane() {
        var bench = single(streams: 10)
        #expect(submit(2, to: &bench).count == 2)
        #expect(bench.broke(lane: bench.lane(of: 0), isFault: false, at: .at(1)) == .never)
        #expect(bench.machine.state(of: 0) == .busy)
        let end = bench.broke(lane: bench.lane(of: 0), isFault: false, at: .at(2))
        #expect(end == .at(30_002) && bench.machine.state(of: 0) == .idle)
        #expect(submit(1, to: &bench, at: 3).map { $0.suffix(4) } == ["to 0"])
    }

    @Test("A probe that fails beside a connection that works is not the last one")
    func failedProbe() {
        let limits = PoolMachine.Limits(offersHTTP2: true, brokenCallsMax: 1)
        var bench = single(streams: 10, limits)
        #expect(submit(2, to: &bench).count == 2)
        bench.broke(0, isFault: true, at: .at(1))
        #expect(bench.verdicts(at: 1) == ["rests a 250"])
        #expect(submit(1, to: &bench, at: 300).first == "open 1 a")
        bench.machine.openingFailed(1, at: .at(310))
        #expect(bench.verdicts(at: 310).first?.hasPrefix("limited a") == true)
        for lane in bench.lanes[0] ?? [] { bench.broke(lane: lane, isFault: false, at: .at(320)) }
        bench.retired(0, at: 320)
        bench.machine.closed(0)
        #expect(submit(1, to: &bench, at: 2_000).first == "open 0 a")
    }

    @Test("While an address rests its connections get no calls; an answer brings it back")
    func resting() {
        let limits = PoolMachine.Limits(offersHTTP2: true, brokenCallsMax: 1)
        var bench = single(streams: 10, limits)
        #expect(submit(2, to: &bench).count == 2)
        bench.broke(0, isFault: true, at: .at(1))
        #expect(bench.verdicts(at: 1) == ["rests a 250"])
        // It answered a moment ago, so the call waits for it.
        #expect(submit(1, to: &bench, at: 2).isEmpty)
        bench.answered(0, isReusable: true, at: 3)
        #expect(bench.verdicts(at: 3).map { $0.suffix(6) } == ["back a", "1 to 0"])
        #expect(submit(1, to: &bench, at: 4).map { $0.suffix(4) } == ["to 0"])
    }

    @Test("An address that is listed no more gets no new calls on its connections")
    func unlisted() {
        var bench = PoolBench.resolved(2, limits: Self.limits)
        #expect(submit(2, to: &bench) == ["open 0 a", "open 1 b"])
        bench.opened(0, streams: 10)
        bench.opened(1, streams: 10)
        #expect(bench.verdicts().count == 2)
        bench.machine.resolved([bench.all[1]])
        #expect(submit(2, to: &bench).map { $0.suffix(4) } == ["to 1", "to 1"])
        bench.answered(0, isReusable: true)
        #expect(bench.verdicts() == ["close 0"])
    }

    @Test("A drain waits for the calls of a connection, and serves the queue")
    func drain() {
        var bench = single(streams: 10)
        #expect(submit(2, to: &bench).count == 2)
        bench.machine.drain()
        #expect(bench.verdicts() == [])
        #expect(submit(1, to: &bench).map { $0.suffix(4) } == ["to 0"])
        for _ in 0..<3 { bench.answered(0, isReusable: true) }
        #expect(bench.verdicts() == ["close 0"])
    }

    // MARK: - Idle

    @Test(
        "A message goes on an idle connection however old it is, because GOAWAY tells what was lost"
    )
    func oldIdle() {
        var bench = single(streams: 10)
        #expect(submit(1, to: &bench, at: 29_000) == ["assign 0 to 0"])
        bench.answered(0, isReusable: true, at: 29_000)
        // What is too old is closed when its time is over, as for HTTP/1.1.
        #expect(bench.machine.idleTimedOut(0, at: .at(59_000)) == nil)
        #expect(bench.machine.state(of: 0) == .closing)
    }

    @Test("An end that crosses the first request after an idle time is no fault, a later one is")
    func crossed() {
        let limits = PoolMachine.Limits(offersHTTP2: true, brokenCallsMax: 1)
        var bench = single(streams: 10, limits)
        #expect(submit(2, to: &bench, at: 5_000).count == 2)
        for lane in bench.lanes[0] ?? [] {
            bench.broke(lane: lane, isFault: true, isUnanswered: true, at: .at(5_040))
        }
        bench.machine.closed(0)
        #expect(bench.verdicts(at: 5_040) == [])
        #expect(submit(2, to: &bench, at: 5_041) == ["open 0 a"])
        #expect(bench.opened(0, streams: 10, at: 5_042) == .at(9_042), "5 s less one")
        #expect(bench.verdicts(at: 5_042).count == 2)
        bench.answered(0, isReusable: true, at: 5_050)
        bench.broke(0, isFault: true, isUnanswered: true, at: .at(5_060))
        #expect(bench.verdicts(at: 5_060).first == "rests a 250")
    }

    @Test("The end of a connection under its calls says nothing about idle times")
    func endUnderCalls() {
        var bench = single(streams: 10)
        #expect(submit(1, to: &bench, at: 10).count == 1)
        bench.broke(0, isFault: true, at: .at(20))
        bench.retired(0, at: 20)
        bench.machine.closed(0)
        #expect(submit(1, to: &bench, at: 21) == ["open 0 a"])
        #expect(bench.opened(0, streams: 10, at: 22) == .at(30_022))
    }
}
