// What loops tell one another of the API's answers, and what a loop makes of it: a restart of the API must
// not refuse the calls of a loop that has not asked for a while.

import Reactor
import TestSupport
import Testing

@testable import APIClient

@Suite("Answers on other loops")
struct LastAnswersTests {
    private func address(_ number: Int) -> SocketAddress {
        SocketAddress("192.0.2.1:\(number)")!
    }

    // MARK: - The memory

    @Test("The last answer of each address counts, in whatever order loops tell it")
    func latest() {
        let answers = LastAnswers()
        answers.note(address(1), at: .at(5))
        answers.note(address(2), at: .at(7))
        answers.note(address(1), at: .at(9))
        answers.note(address(1), at: .at(8))
        #expect(
            answers.all == [
                LastAnswers.Answer(address: address(1), time: .at(9)),
                LastAnswers.Answer(address: address(2), time: .at(7)),
            ])
    }

    @Test("The number of addresses is bounded: the oldest answer is forgotten")
    func bounded() {
        let answers = LastAnswers()
        for number in 1...LastAnswers.addressesMax {
            answers.note(address(number), at: .at(1_000 - number))
        }
        answers.note(address(5_000), at: .at(2_000))
        #expect(answers.all.count == LastAnswers.addressesMax)
        #expect(!answers.all.contains { $0.address == address(LastAnswers.addressesMax) })
        #expect(answers.all.contains { $0.address == address(5_000) })
    }

    // MARK: - The machine

    /// What the machine would hear of its first addresses, when they answered at these times.
    private func heard(_ times: Int?..., in bench: PoolBench) -> [LastAnswers.Answer] {
        zip(bench.all, times).compactMap { address, time in
            time.map { LastAnswers.Answer(address: address, time: .at($0)) }
        }
    }

    @Test("Others hear of answers at once, and then twice a second while answers come")
    func told() {
        var bench = PoolBench.resolved(2)
        bench.submit()
        _ = bench.verdicts()
        bench.opened(0)
        _ = bench.verdicts()
        for now in [1_000, 1_100, 1_499, 1_500, 1_999, 9_000] {
            bench.answered(0, isReusable: true, at: now)
            bench.submit(at: now)
            _ = bench.verdicts(at: now)
        }
        #expect(bench.news == ["a at 1000", "a at 1500", "a at 9000"])
        bench.opened(1, at: 9_001)
        bench.submit(at: 9_001)
        #expect(bench.verdicts(at: 9_001).map { $0.suffix(4) } == ["to 1"])
        bench.answered(1, isReusable: true, at: 9_001)
        _ = bench.verdicts(at: 9_001)
        #expect(bench.news.last == "b at 9001", "each address for itself")
    }

    @Test("A call of an opening that broke ends without an answer: nothing is told")
    func notTold() {
        var bench = PoolBench.resolved(1)
        bench.submit()
        _ = bench.verdicts()
        bench.opened(0)
        _ = bench.verdicts()
        bench.broke(0, isFault: true, at: .at(1))
        _ = bench.verdicts(at: 1)
        #expect(bench.news == [])
    }

    @Test(
        "A loop that never asked waits for an address that answered another loop within ten seconds",
        arguments: [
            (nil, nil), (20_000, 30_000), (19_999, 29_999), (10_001, 20_001), (10_000, nil),
            (1, nil),
        ] as [(Int?, Int?)])
    func waits(answered: Int?, until end: Int?) {
        var bench = PoolBench.resolved(1)
        bench.submit(.check, at: 20_000)
        #expect(bench.verdicts(at: 20_000) == ["open 0 a"])
        bench.machine.openingFailed(0, at: .at(20_000))
        bench.machine.heard(heard(answered, in: bench), at: .at(20_000))
        guard let end else {
            #expect(bench.verdicts(at: 20_000) == ["rests a 250", "fail 0 noAddress"])
            return
        }
        #expect(bench.verdicts(at: 20_000) == ["rests a 250"])
        #expect(bench.machine.wakeTime == .at(min(20_250, end)))
        if end < 20_250 {
            #expect(bench.verdicts(at: end) == ["fail 0 noAddress"])
        } else {
            #expect(bench.verdicts(at: 20_250) == ["open 0 a"])
            bench.opened(0, at: 20_260)
            #expect(bench.verdicts(at: 20_260) == ["back a", "assign 0 to 0"])
        }
    }

    @Test("It is enough that one of several addresses answered, and one that is not listed is none")
    func several() {
        var bench = PoolBench.resolved(3)
        bench.machine.resolved(Array(bench.all.dropLast()))
        bench.submit()
        #expect(bench.verdicts(at: 20_000) == ["open 0 a", "open 1 b"])
        for connection: ConnectionNumber in [0, 1] {
            bench.machine.openingFailed(connection, at: .at(20_000))
        }
        bench.machine.heard(heard(nil, nil, 19_000, in: bench), at: .at(20_000))
        #expect(bench.verdicts(at: 20_000).last == "fail 0 noAddress")
        bench.submit()
        bench.machine.heard(heard(nil, 19_000, nil, in: bench), at: .at(20_001))
        #expect(bench.verdicts(at: 20_001) == [])
        #expect(bench.machine.wakeTime == .at(20_250))
    }

    @Test("An address that rests for long is tried when it has answered another loop")
    func soon() {
        var bench = PoolBench.resolved(1)
        var now = 0
        for rest in [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000] {
            bench.submit(at: now)
            #expect(bench.verdicts(at: now).last == "open 0 a")
            bench.machine.openingFailed(0, at: .at(now))
            #expect(bench.verdicts(at: now).first == "rests a \(rest)")
            now += rest
        }
        let began = now - 15_000
        bench.submit(at: began + 300)
        bench.machine.heard(heard(began + 200, in: bench), at: .at(began + 300))
        #expect(bench.verdicts(at: began + 300) == [], "it has just failed here")
        #expect(bench.machine.wakeTime == .at(began + 1_000))
        bench.machine.heard(heard(began + 200, in: bench), at: .at(began + 1_000))
        #expect(bench.verdicts(at: began + 1_000) == ["open 0 a"])
        bench.opened(0, at: began + 1_001)
        #expect(bench.verdicts(at: began + 1_001).first == "back a")
        #expect(bench.machine.addressReports[0].health == .healthy)
    }

    @Test("While another loop still has answers, calls wait on, and a failed try costs a second")
    func onAndOn() {
        var bench = PoolBench.resolved(1)
        bench.submit(by: 60_000, at: 0)
        var opened = 0
        for now in stride(from: 0, through: 40_000, by: 50) {
            bench.machine.heard(heard(now, in: bench), at: .at(now))
            for verdict in bench.verdicts(at: now) {
                #expect(!verdict.hasPrefix("fail"))
                guard verdict == "open 0 a" else { continue }
                opened += 1
                bench.machine.openingFailed(0, at: .at(now))
            }
        }
        #expect((35...45).contains(opened), "\(opened)")
    }

    // MARK: - Two pools

    @Test("A restart of the API refuses no call of a loop that has not asked before")
    func restart() throws {
        let first = Bench()
        let second = Bench()
        let answers = LastAnswers()
        let owner = TestOwner()
        var server = try ScriptedServer(first.loop, script: ScriptedServer.accepting)
        let address = server.address
        let asking = first.pool([address], answers: answers)
        let silent = second.pool([address], answers: answers)
        _ = first.send([0x7B, 0x7D], to: asking, owner: owner)
        first.turn { owner.results.count == 1 }
        first.act { server.close() }
        _ = second.send([0x7B, 0x7D], to: silent, owner: owner)
        second.turn(milliseconds: 400)
        #expect(owner.summary == ["202 m0-1"], "it waits")
        #expect(silent.report.addresses.first?.health != .healthy)
        server = try ScriptedServer(second.loop, at: address, script: ScriptedServer.accepting)
        second.turn { owner.results.count == 2 }
        #expect(owner.summary == ["202 m0-1", "202 m0-1"])
    }

    @Test("Nobody waits for an API that has answered nobody")
    func unknown() throws {
        let bench = Bench()
        let owner = TestOwner()
        let server = try ScriptedServer(bench.loop, script: ScriptedServer.accepting)
        let pool = bench.pool([server.address])
        bench.act { server.close() }
        let start = MonotonicTime.readClock()
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["not sent"])
        #expect(MonotonicTime.readClock().milliseconds(since: start) < 5_000)
    }
}
