// Turns on the line to the API: the rate, equal parts of it, and the pool that keeps to them.

import Reactor
import TestSupport
import Testing
import Wire

@testable import APIClient

@Suite("Send line")
struct SendLineTests {
    private func flow(_ value: Int) -> FlowNumber { FlowNumber(value: value) }

    @Test("The line carries its rate and no more", arguments: [65_536, 1_000_000, 50_000_000])
    func rate(_ bytesPerSecond: Int) {
        var line = SendLine(bytesPerSecond: bytesPerSecond)
        var sent = 0
        var now = MonotonicTime.at(0)
        /// Asks until it has to wait.
        func ask(_ connection: LaneNumber) {
            while line.take(
                16_000, for: connection, of: flow(connection.value), isSmall: false, at: now)
            {
                sent += 16_000
            }
        }
        for number in 0..<3 { ask(LaneNumber(value: number)) }
        while now < .at(4_000) {
            while let connection = line.next(at: now) {
                sent += 16_000
                ask(connection)
            }
            now = max(line.wakeTime, now.advanced(byMilliseconds: 1))
        }
        let most = 4 * bytesPerSecond + bytesPerSecond / 20 + 16_000
        #expect(sent <= most && sent >= 4 * bytesPerSecond - bytesPerSecond / 500 - 16_000)
    }

    @Test("Customers have equal parts, whatever they have to send", arguments: [1, 2, 16])
    func equalParts(_ own: Int) {
        var generator = SeededGenerator(seed: UInt64(own))
        var line = SendLine(bytesPerSecond: 1_000_000)
        var sent = [0, 0, 0]
        var wanted: [Int: (flow: Int, bytes: Int)] = [:]
        // The first has many connections, the second one, the third one with small pieces.
        func ask(_ number: Int, at now: MonotonicTime) {
            let owner = number < own ? 0 : number - own + 1
            let bytes = owner == 2 ? 700 : Int.random(in: 1...16_382, using: &generator)
            wanted[number] = (owner, bytes)
            let may = line.take(
                bytes, for: LaneNumber(value: number), of: flow(owner), isSmall: false,
                at: now)
            if may {
                sent[owner] += bytes
                ask(number, at: now)
            }
        }
        var now = MonotonicTime.at(0)
        for number in 0..<own + 2 { ask(number, at: now) }
        while now < .at(20_000) {
            while let connection = line.next(at: now) {
                let (owner, bytes) = wanted[connection.value] ?? (0, 0)
                sent[owner] += bytes
                ask(connection.value, at: now)
            }
            now = max(line.wakeTime, now.advanced(byMilliseconds: 1))
        }
        // The third one's pieces are small, and it asks for one at a time: it has its part too.
        #expect(abs(sent[0] - sent[1]) < 150_000, "\(sent)")
        #expect(abs(sent[2] - sent[1]) < 150_000, "\(sent)")
    }

    @Test("Small messages are first in their customer's turn, and one that leaves is passed over")
    func order() {
        var line = SendLine(bytesPerSecond: 1_000_000)
        let now = MonotonicTime.at(0)
        func ask(_ number: Int, _ owner: Int, isSmall: Bool) -> Bool {
            line.take(
                10_000, for: LaneNumber(value: number), of: flow(owner), isSmall: isSmall,
                at: now)
        }
        while ask(9, 9, isSmall: true) {}
        line.leave(LaneNumber(value: 9))
        #expect(line.wakeTime == .never)
        for (number, owner, isSmall) in [
            (0, 0, false), (1, 0, false), (2, 0, true), (3, 1, false), (4, 2, false),
        ] {
            #expect(!ask(number, owner, isSmall: isSmall))
        }
        line.leave(LaneNumber(value: 4))
        line.leave(LaneNumber(value: 4))
        #expect(line.next(at: now) == nil)
        var order: [Int] = []
        while let connection = line.next(at: .at(1_000 * (order.count + 1))) {
            order.append(connection.value)
        }
        #expect(order == [2, 3, 0, 1])
    }

    @Test("Small messages without a pause leave a part to a large one of their customer")
    func smallWithoutAPause() {
        var line = SendLine(bytesPerSecond: 1_000_000)
        var turns = [0, 0]
        func ask(_ number: Int) {
            _ = line.take(
                10_000, for: LaneNumber(value: number), of: flow(0), isSmall: number > 0,
                at: .at(0))
        }
        for number in (0..<12).reversed() { ask(number) }
        for second in 1...400 {
            guard let connection = line.next(at: .at(1_000 * second)) else { continue }
            turns[connection.value > 0 ? 1 : 0] += 1
            ask(connection.value)
        }
        #expect(turns[0] >= 99 && turns[1] >= 299, "\(turns)")
    }

    @Test("A pool with a rate sends everything, no faster, and a small message has its turn")
    func pool() throws {
        let bench = Bench()
        let (owner, other) = (TestOwner(), TestOwner())
        let server = try ScriptedServer(bench.loop, script: ScriptedServer.accepting)
        let pool = bench.pool([server.address]) { $0.bytesPerSecondMax = 1_000_000 }
        var generator = SeededGenerator(seed: 5)
        let content = generator.bytes(300_000)
        let flow = pool.makeFlow()
        let start = MonotonicTime.readClock()
        for _ in 0..<2 { _ = bench.send(content, to: pool, owner: owner, flow: flow) }
        bench.turn(milliseconds: 20)
        _ = bench.send([0x7B, 0x7D], to: pool, owner: other)
        bench.turn { other.results.count == 1 }
        #expect(owner.results.isEmpty)
        bench.turn { owner.results.count == 2 }
        #expect(MonotonicTime.readClock().milliseconds(since: start) >= 450)
        let bodies = server.peers.flatMap { $0.requests }.map(\.body)
        #expect(bodies.count == 3 && bodies.count { $0 == content } == 2)
        // An upload in chunks, and one that is abandoned while it waits.
        let upload = bench.upload(to: pool, owner: owner)
        upload.body?.append(content.span)
        upload.body?.complete()
        upload.bodyCompleted(deadline: bench.loop.now.advanced(byMilliseconds: 15_000))
        let abandoned = bench.upload(to: pool, owner: owner)
        abandoned.body?.append(content.span)
        abandoned.bodyGrew()
        bench.turn(milliseconds: 60)
        bench.act {
            abandoned.abandon()
            abandoned.body?.discard()
        }
        bench.turn { owner.results.count == 3 }
        #expect(owner.summary.last?.hasPrefix("202") == true)
        #expect(bench.loop.slabs.outstanding == 0)
    }
}
