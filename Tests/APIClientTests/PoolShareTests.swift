// How customers share the connections and the places of a pool, without a socket.

import Reactor
import TestSupport
import Testing

@testable import APIClient

@Suite("Pool machine: shares")
struct PoolShareTests {
    /// A pool whose connections for messages are all busy with complete messages of flow 9.
    private func full(_ connectionsMax: Int) -> PoolBench {
        let limits = PoolMachine.Limits(connectionsMax: connectionsMax)
        var bench = PoolBench.resolved(1, limits: limits)
        let count = limits.messagesMax
        for _ in 0..<count { bench.submit(of: 9) }
        _ = bench.verdicts()
        for number in 0..<count { bench.opened(ConnectionNumber(value: number)) }
        _ = bench.verdicts()
        return bench
    }

    @Test("The next connection goes to the customer that holds least; equals take turns")
    func leastFirst() {
        var bench = full(3)
        // 2, 1, 0, 3 and 4 are calls of one customer, 5 and 6 of another, 7 of a third.
        for flow in [0, 0, 0, 0, 0, 1, 1, 2] { bench.submit(of: flow) }
        var order: [String] = []
        for round in 0..<8 {
            let connection = ConnectionNumber(value: round % 3)
            bench.answered(connection, isReusable: true)
            order += bench.verdicts().map { String($0.split(separator: " ")[1]) }
        }
        // One each; then who has none, and the rest of the first.
        #expect(order == ["2", "5", "7", "1", "6", "0", "3", "4"])
    }

    @Test("Checks of keys are first, and have a connection that messages never take")
    func checksFirst() {
        var bench = PoolBench.resolved(1, limits: PoolMachine.Limits(connectionsMax: 16))
        for _ in 0..<40 { bench.submit() }
        #expect(bench.verdicts().count == 15)
        for number in 0..<15 { bench.opened(ConnectionNumber(value: number)) }
        #expect(bench.verdicts().count == 15)
        bench.submit(.check)
        bench.submit(.check)
        #expect(bench.verdicts() == ["open 15 a"])
        bench.opened(15)
        #expect(bench.verdicts() == ["assign 14 to 15"])
        bench.answered(3, isReusable: true)
        #expect(bench.verdicts() == ["assign 13 to 3"], "before 25 messages")
        // The reserve is for checks: it stays idle while messages wait.
        bench.answered(15, isReusable: true)
        #expect(bench.verdicts() == ["assign 15 to 15"], "14 messages were on connections")
        bench.answered(3, isReusable: true)
        #expect(bench.verdicts() == [])
    }

    @Test("Few checks wait in the queue, and beside messages they have half of the connections")
    func takesCheck() {
        var bench = PoolBench.resolved(1, limits: PoolMachine.Limits(connectionsMax: 16))
        func fill() -> Int {
            var count = 0
            while bench.machine.takesCheck, count < 100 {
                bench.submit(.check)
                count += 1
            }
            return count
        }
        #expect(fill() == 4)
        #expect(bench.verdicts().count == 4)
        #expect(fill() == 0, "nothing has left the queue")
        for number in 0..<4 { bench.opened(ConnectionNumber(value: number)) }
        #expect(bench.verdicts().count == 4)
        #expect(fill() == 4)
        #expect(bench.verdicts().count == 4)
        bench.submit()
        #expect(!bench.machine.takesCheck)
        for number in 4..<8 { bench.opened(ConnectionNumber(value: number)) }
        #expect(bench.verdicts().filter { $0.hasPrefix("assign") }.count == 4)
        #expect(!bench.machine.takesCheck, "8 of 16, and a message waits")
        bench.answered(0, isReusable: true)
        #expect(bench.verdicts().filter { $0.hasPrefix("assign") }.count == 1)
        #expect(bench.machine.takesCheck, "no message waits")
    }

    @Test("Of few connections messages have all, and checks one more", arguments: 1...3)
    func reserveOfFew(_ count: Int) {
        var bench = full(count)
        bench.submit()
        #expect(bench.verdicts() == [])
        bench.submit(.check)
        #expect(bench.verdicts() == ["open \(count) a"])
    }

    @Test(
        "Uploads hold half of the connections, and one customer's as many as it leaves free",
        arguments: [(1, 1), (2, 1), (4, 1), (8, 2), (32, 8), (256, 64)])
    func uploads(_ row: (connections: Int, own: Int)) {
        var bench = PoolBench.resolved(
            1, limits: PoolMachine.Limits(connectionsMax: row.connections, openingMax: 1_000))
        for _ in 0..<300 { bench.submit(.fastUpload) }
        let opened = bench.verdicts()
        #expect(opened.count == row.own, "none is opened for uploads that may not have it")
        for number in 0..<opened.count { bench.opened(ConnectionNumber(value: number)) }
        #expect(bench.verdicts().count == row.own)
        #expect(bench.machine.holdings(of: bench.flow(0)).uploads == row.own)
        // Another one may have as many as are free now.
        let free = max(1, row.connections / 2) - row.own
        if free > 0 {
            bench.submit(.slowUpload, of: 1)
            #expect(bench.verdicts().count == 1)
        }
        #expect(bench.machine.counts.uploadsDelayed == 0)
        for _ in 0..<3 { bench.submit(.fastUpload) }
        #expect(bench.machine.counts.uploadsDelayed == 3)
        // Complete messages have the rest.
        if row.connections > 1 {
            bench.submit(.complete, of: 2)
            #expect(!bench.verdicts().isEmpty || free > 0)
        }
    }

    @Test("A slow upload waits for complete messages and checks; a fast one has its turn")
    func slowWaits() {
        var bench = full(8)
        bench.submit(.slowUpload, of: 0)
        bench.submit(.complete, of: 1)
        bench.submit(.fastUpload, of: 2)
        bench.submit(.complete, of: 1)
        var order: [String] = []
        for number in 0..<4 {
            bench.answered(ConnectionNumber(value: number), isReusable: true)
            order += bench.verdicts().map { String($0.split(separator: " ")[1]) }
        }
        // The numbers of the first calls are used again, the last one first.
        #expect(order == ["5", "4", "3", "6"])
    }

    @Test("A slow upload is not kept out by one customer whose messages never end")
    func slowAges() {
        var bench = full(8)
        bench.submit(.slowUpload, of: 0)
        for _ in 0..<20 { bench.submit(of: 9) }
        var now = 0
        var order: [Int] = []
        for round in 0..<14 {
            now += 60
            bench.answered(ConnectionNumber(value: round % 7), isReusable: true, at: now)
            _ = bench.verdicts(at: now)
            order.append(bench.machine.holdings(of: bench.flow(0)).uploads)
        }
        // After half a second it has its turn, because its customer holds nothing.
        #expect(order == [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    }

    @Test("An upload that has arrived waits as a complete message, and frees its share on the wire")
    func arrived() {
        var bench = full(5)
        let call = bench.submit(.slowUpload, of: 0)?.number ?? 0
        bench.submit(.complete, of: 1)
        bench.machine.arrived(call)
        bench.machine.arrived(call)
        bench.answered(0, isReusable: true)
        bench.answered(1, isReusable: true)
        #expect(bench.verdicts().count == 2)
        #expect(
            bench.machine.holdings(of: bench.flow(0))
                == FlowHoldings(connections: 1, uploads: 0, waiting: 0))
        bench.submit(.fastUpload, of: 2)
        bench.answered(2, isReusable: true)
        #expect(bench.verdicts().map { $0.suffix(4) } == ["to 2"])
        #expect(bench.machine.holdings(of: bench.flow(2)).uploads == 1)
        bench.submit(.fastUpload, of: 3)
        bench.answered(3, isReusable: true)
        #expect(bench.verdicts().count == 1)
        bench.submit(.fastUpload, of: 4)
        bench.answered(0, isReusable: true)
        #expect(bench.verdicts() == [], "two of five are uploads")
        bench.machine.arrived(on: bench.lane(of: 2))
        bench.machine.arrived(on: bench.lane(of: 2))
        #expect(bench.verdicts().count == 1)
    }

    /// Two uploads of four connections, and then the API closes every further one.
    private func narrowed(_ flows: [Int]) -> PoolBench {
        var bench = PoolBench.resolved(1, limits: PoolMachine.Limits(connectionsMax: 4))
        for flow in flows { bench.submit(.fastUpload, of: flow) }
        _ = bench.verdicts()
        for number in flows.indices {
            bench.opened(ConnectionNumber(value: number), at: number)
            _ = bench.verdicts(at: number)
        }
        bench.submit(.complete, of: 3)
        #expect(bench.verdicts(at: 2) == ["open 2 a"])
        bench.machine.openingFailed(2, at: .at(2))
        return bench
    }

    @Test("Uploads that hold every connection that the API takes give one to those that wait")
    func narrow() {
        var bench = narrowed([0, 1])
        let verdicts = bench.verdicts(at: 2)
        #expect(verdicts == ["limited a 2 250", "break off 1", "open 2 a"], "the younger one")
        bench.machine.closed(1)
        bench.opened(2, at: 3)
        #expect(bench.verdicts(at: 3).count == 1)
        // One upload is its share: nobody takes that away.
        bench.submit(.check)
        #expect(bench.verdicts(at: 3) == [])
        #expect(bench.machine.counts.uploadsBrokenOff == 1)
        bench.answered(2, isReusable: true, at: 4)
        #expect(bench.verdicts(at: 4).count == 1)
    }

    @Test("Of several customers the one with most uploads gives")
    func narrowOfMost() {
        let limits = PoolMachine.Limits(connectionsMax: 8)
        var bench = PoolBench.resolved(1, limits: limits)
        for (number, flow) in [0, 0, 1].enumerated() {
            bench.submit(.fastUpload, of: flow)
            #expect(bench.verdicts(at: number).count == 1)
            bench.opened(ConnectionNumber(value: number), at: number)
            #expect(bench.verdicts(at: number).count == 1)
        }
        bench.submit(.check)
        #expect(bench.verdicts(at: 3) == ["open 3 a"])
        bench.machine.openingFailed(3, at: .at(3))
        #expect(bench.verdicts(at: 3).contains("break off 1"))
    }

    @Test("Where nobody waits, and where a complete message is on its way, uploads go on")
    func narrowWithoutNeed() {
        var bench = PoolBench.resolved(1, limits: PoolMachine.Limits(connectionsMax: 6))
        for flow in [0, 1] { bench.submit(.fastUpload, of: flow) }
        bench.submit(.complete, of: 2)
        _ = bench.verdicts()
        for number in 0..<3 { bench.opened(ConnectionNumber(value: number)) }
        _ = bench.verdicts()
        bench.submit(.complete, of: 3)
        #expect(bench.verdicts() == ["open 3 a"])
        bench.machine.openingFailed(3, at: .at(0))
        #expect(bench.verdicts() == ["limited a 3 250"])
        #expect(bench.machine.counts.uploadsBrokenOff == 0)
    }

    @Test("A full queue takes a place from the customer that has most of them")
    func queuePlaces() {
        var bench = PoolBench(1, limits: PoolMachine.Limits(queueMax: 4))
        for _ in 0..<4 { bench.submit(of: 0) }
        #expect(bench.submit(of: 0) == nil)
        // The newest goes; its number is free for the newcomer.
        #expect(bench.submit(of: 1) == PoolMachine.Admission(number: 3, loser: 3))
        #expect(bench.submit(of: 2) == PoolMachine.Admission(number: 2, loser: 2))
        #expect(bench.submit(of: 1) == nil, "two and one would become one and two")
        #expect(bench.machine.counts.pushedOut == 2)
        // Checks of keys have places of their own.
        #expect(bench.submit(.check) != nil)
        #expect(bench.machine.queuedCount == 5)
        bench.machine.resolutionFailed()
        #expect(bench.verdicts().count == 5)
    }

    @Test("A message does not go to a connection of unknown use while a fresh one can be opened")
    func unknownAge() {
        var bench = PoolBench.resolved(1, limits: PoolMachine.Limits(connectionsMax: 4))
        bench.submit()
        _ = bench.verdicts()
        bench.opened(0)
        _ = bench.verdicts()
        bench.answered(0, isReusable: true, at: 100)
        bench.submit()
        #expect(bench.verdicts(at: 2_100) == ["assign 0 to 0"])
        bench.answered(0, isReusable: true, at: 2_100)
        bench.submit()
        #expect(bench.verdicts(at: 4_101) == ["open 1 a"])
        // It may be slow to open; then the idle one is better than nothing.
        #expect(bench.machine.wakeTime == .at(5_101))
        #expect(bench.verdicts(at: 5_100) == [])
        #expect(bench.verdicts(at: 5_101) == ["assign 0 to 0"])
        bench.answered(0, isReusable: true, at: 5_200)
        bench.opened(1, at: 5_300)
        // A check may be repeated.
        bench.submit(.check)
        #expect(bench.verdicts(at: 9_000) == ["assign 0 to 1"])
        bench.answered(1, isReusable: true, at: 9_001)
        #expect(bench.machine.counts.connectionsTooOld == 1)
    }

    @Test("Where no fresh connection can be opened, the idle one is used at once")
    func inNeed() {
        var bench = PoolBench.resolved(1)
        bench.submit()
        bench.submit()
        _ = bench.verdicts()
        bench.opened(0)
        _ = bench.verdicts()
        bench.machine.openingFailed(1, at: .at(1))
        bench.answered(0, isReusable: true, at: 2)
        _ = bench.verdicts(at: 2)
        bench.answered(0, isReusable: true, at: 3)
        for round in 1...9 {
            // After a rest an opening is tried first.
            bench.submit()
            let verdicts = bench.verdicts(at: round * 3_000)
            if verdicts == ["open 1 a"] {
                bench.machine.openingFailed(1, at: .at(round * 3_000 + 1))
                let end = bench.verdicts(at: round * 3_000 + 1).last
                #expect(end?.hasSuffix("to 0") == true)
            } else {
                #expect(verdicts.map { $0.suffix(5) } == [" to 0"])
            }
            bench.answered(0, isReusable: true, at: round * 3_000 + 2)
        }
    }

    @Test("What the API says of idle connections is obeyed with a margin and a round trip")
    func keepAlive() {
        var bench = PoolBench.resolved(1)
        bench.submit()
        _ = bench.verdicts()
        bench.opened(0, at: 100)
        _ = bench.verdicts(at: 100)
        // Half a second is the margin, and the opening took 100 ms.
        #expect(bench.answered(0, isReusable: true, keepAlive: 1, at: 200) == .at(600))
        bench.submit()
        #expect(bench.verdicts(at: 600) == ["assign 0 to 0"])
        #expect(bench.answered(0, isReusable: true, keepAlive: 1, at: 700) == .at(1_100))
        bench.submit()
        #expect(bench.verdicts(at: 1_101) == ["open 1 a"])
        // It stays, to learn from; further ones do not.
        #expect(bench.machine.idleTimedOut(0, at: .at(1_101)) == .at(30_700))
    }

    /// A pool with two idle connections: the first has carried two calls, the second none.
    private func usedAndFresh() -> PoolBench {
        var bench = PoolBench.resolved(1)
        bench.submit()
        bench.submit()
        #expect(bench.verdicts() == ["open 0 a", "open 1 a"])
        bench.opened(0)
        _ = bench.verdicts()
        bench.answered(0, isReusable: true, at: 0)
        #expect(bench.verdicts() == ["assign 1 to 0"])
        bench.answered(0, isReusable: true, at: 0)
        bench.opened(1)
        return bench
    }

    /// Sends a message on a connection that is opened for it.
    /// - Returns: until when the connection may be idle then.
    private func sendOnFresh(
        _ connection: ConnectionNumber, _ bench: inout PoolBench, at time: Int
    ) -> MonotonicTime {
        bench.submit()
        #expect(bench.verdicts(at: time) == ["open \(connection.value) a"])
        bench.opened(connection, at: time)
        #expect(bench.verdicts(at: time).map { $0.suffix(5) } == [" to \(connection.value)"])
        return bench.answered(connection, isReusable: true, at: time)
    }

    @Test("A connection that has carried no call does not show that others may be older")
    func freshLivesLonger() {
        var bench = usedAndFresh()
        bench.retired(0, at: 5_000)
        bench.machine.closed(0)
        // Connection 1 has been idle for 9 s by now, and is open.
        #expect(sendOnFresh(0, &bench, at: 9_000) == .at(13_000), "5 s less one")
        // Both stay to learn from, as long as they are open.
        #expect(bench.machine.idleTimedOut(1, at: .at(9_000)) == .at(30_000))
        #expect(bench.machine.idleTimedOut(0, at: .at(13_000)) == .at(39_000))
        bench.retired(0, at: 14_000)
        bench.machine.closed(0)
        #expect(bench.machine.idleTimedOut(1, at: .at(30_000)) == nil)
        bench.machine.closed(1)
        #expect(sendOnFresh(1, &bench, at: 30_001) == .at(34_001), "5 s less one, as before")
    }

    @Test("An API that ends a connection before its first call may keep others for longer")
    func freshLivesShorter() {
        var bench = usedAndFresh()
        bench.retired(1, at: 3_000)
        bench.machine.closed(1)
        #expect(bench.machine.idleTimedOut(0, at: .at(30_000)) == nil)
        bench.machine.closed(0)
        #expect(sendOnFresh(0, &bench, at: 40_000) == .at(70_000), "our own idle timeout")
        bench.submit()
        bench.submit()
        _ = bench.verdicts(at: 40_000)
        bench.answered(0, isReusable: true, at: 40_000)
        _ = bench.verdicts(at: 40_000)
        #expect(bench.opened(1, at: 40_000) == .at(42_000), "3 s less one")
    }

    @Test("A restart that closes young connections does not spoil reuse for ever")
    func restart() {
        var bench = PoolBench.resolved(1)
        bench.submit()
        _ = bench.verdicts()
        bench.opened(0)
        _ = bench.verdicts()
        bench.answered(0, isReusable: true, at: 10)
        bench.retired(0, at: 20)
        bench.machine.closed(0)
        bench.submit()
        #expect(bench.verdicts(at: 21) == ["open 0 a"])
        bench.opened(0, at: 21)
        _ = bench.verdicts(at: 21)
        #expect(bench.answered(0, isReusable: true, at: 30) == .at(35))
        bench.submit()
        // It has lived for 3 s by now, so the limit is more.
        #expect(bench.verdicts(at: 3_030) == ["open 1 a"])
        bench.opened(1, at: 3_031)
        _ = bench.verdicts(at: 3_031)
        bench.answered(1, isReusable: true, at: 3_100)
        bench.submit()
        #expect(bench.verdicts(at: 5_000) == ["assign 0 to 1"])
    }

    @Test("An end that crosses a request after an idle time is the API's limit, and no fault")
    func crossed() {
        var bench = PoolBench.resolved(1, limits: PoolMachine.Limits(brokenCallsMax: 1))
        bench.submit()
        _ = bench.verdicts()
        bench.opened(0)
        _ = bench.verdicts()
        bench.answered(0, isReusable: true, at: 100)
        bench.submit()
        #expect(bench.verdicts(at: 1_100) == ["assign 0 to 0"])
        bench.broke(0, isFault: true, isUnanswered: true, at: .at(1_150))
        bench.machine.closed(0)
        bench.submit()
        #expect(bench.verdicts(at: 1_151) == ["open 0 a"])
        bench.opened(0, at: 1_151)
        _ = bench.verdicts(at: 1_151)
        #expect(bench.answered(0, isReusable: true, at: 1_200) == .at(1_700), "a second less half")
        // Without an idle time it is a fault.
        bench.submit()
        _ = bench.verdicts(at: 1_201)
        bench.broke(0, isFault: true, isUnanswered: true, at: .at(1_250))
        #expect(bench.verdicts(at: 1_250) == ["rests a 250"])
    }

    @Test("Connections that are too old make room for fresh ones")
    func obsolete() {
        var bench = PoolBench.resolved(1, limits: PoolMachine.Limits(connectionsMax: 2))
        bench.submit()
        bench.submit()
        _ = bench.verdicts()
        bench.opened(0)
        bench.opened(1)
        _ = bench.verdicts()
        for connection: ConnectionNumber in [0, 1] {
            bench.answered(connection, isReusable: true, keepAlive: 1, at: 10)
        }
        bench.submit()
        #expect(bench.verdicts(at: 2_000) == ["close 0"])
        bench.machine.closed(0)
        #expect(bench.verdicts(at: 2_001) == ["open 0 a"])
    }
}

/// A pool under random events, and what it must never do.
private struct RandomPool {
    struct Call {
        var kind: CallQueue.Kind
        var flow: Int?
        var since: Int
    }

    let connectionsMax: Int
    var bench: PoolBench
    var generator: SeededGenerator
    /// Calls that wait, by number; what connections carry, by number.
    var waiting: [Int: Call] = [:]
    var carried: [Int: Call] = [:]
    var opening: Set<Int> = []
    /// Since when, by number.
    var idle: [Int: Int] = [:]
    var closing: Set<Int> = []
    /// Of the call that a connection carries, by its number.
    var lanes: [Int: LaneNumber] = [:]
    var now = 1
    var faults: [String] = []

    init(seed: Int) {
        generator = SeededGenerator(seed: UInt64(seed))
        connectionsMax = [1, 2, 3, 4, 7, 16, 40][Int.random(in: 0..<7, using: &generator)]
        bench = PoolBench.resolved(
            2, limits: PoolMachine.Limits(connectionsMax: connectionsMax, queueMax: 60))
    }

    private var limits: PoolMachine.Limits { PoolMachine.Limits(connectionsMax: connectionsMax) }
    private var messages: Int { carried.values.count { $0.flow != nil } }
    private var uploads: Int { carried.values.count { $0.kind.isUpload } }
    private func held(_ flow: Int?) -> Int { carried.values.count { $0.flow == flow } }
    private func uploads(of flow: Int?) -> Int {
        carried.values.count { $0.flow == flow && $0.kind.isUpload }
    }

    private func mayTake(_ call: Call) -> Bool {
        guard call.flow != nil else { return true }
        guard messages < limits.messagesMax else { return false }
        guard call.kind.isUpload else { return true }
        guard uploads(of: call.flow) < max(1, connectionsMax / 2) - uploads else { return false }
        return call.kind == .fastUpload || now - call.since >= 500
            || !waiting.values.contains { $0.kind == .complete || $0.kind == .check }
    }

    private mutating func check(_ isRight: Bool, _ fault: String) {
        if !isRight { faults.append("\(fault) at \(now)") }
    }

    private mutating func assigned(_ number: Int, to connection: Int) {
        guard let call = waiting.removeValue(forKey: number) else {
            return faults.append("assigned what does not wait")
        }
        waiting[number] = call
        check(mayTake(call), "a bound is broken by \(call)")
        if call.flow != nil {
            check(!waiting.values.contains { $0.kind == .check }, "a check waits for a message")
            let others = waiting.values.filter {
                $0.kind == call.kind && $0.kind != .slowUpload && mayTake($0)
            }
            check(
                others.allSatisfy { held($0.flow) >= held(call.flow) },
                "somebody waits who holds less")
        }
        waiting[number] = nil
        check(idle.removeValue(forKey: connection) != nil, "a connection that is not idle")
        carried[connection] = call
    }

    mutating func settle() {
        while true {
            switch bench.machine.next(at: .at(now)) {
            case .nothing:
                // A message does not go to a connection that is too old while one opens.
                let isFresh = idle.values.contains { now - $0 <= 2_000 }
                let takers = waiting.values.filter { $0.flow == nil || isFresh }
                if !idle.isEmpty {
                    check(!takers.contains(where: mayTake), "idle while a call waits")
                }
                let all = opening.count + idle.count + carried.count + closing.count
                check(all <= limits.messagesMax + limits.checkReserve, "too many connections")
                return
            case .open(let connection, _): opening.insert(connection.value)
            case .assign(let call, let connection, let lane):
                lanes[connection.value] = lane
                assigned(call.value, to: connection.value)
            case .fail(let call, _): waiting[call.value] = nil
            case .close(let connection):
                idle[connection.value] = nil
                closing.insert(connection.value)
            case .breakOffUpload(let lane):
                let connection = bench.machine.connection(of: lane)
                check(
                    carried.values.allSatisfy { $0.kind.isUpload }, "there are others than uploads")
                check(waiting.values.contains { !$0.kind.isUpload }, "nobody needs it")
                check(carried.removeValue(forKey: connection.value) != nil, "it carries nothing")
                bench.machine.broke(lane, isFault: false, at: .at(now))
                closing.insert(connection.value)
            case .answers, .rests, .limited, .isBack, .demandsHTTP1: break
            }
        }
    }

    mutating func step() {
        if Bool.random(using: &generator) { now += Int.random(in: 0...40, using: &generator) }
        switch Int.random(in: 0..<12, using: &generator) {
        case 0...3: submit()
        case 4, 5:
            guard let connection = opening.sorted().randomElement(using: &generator) else {
                return
            }
            opening.remove(connection)
            idle[connection] = now
            bench.opened(ConnectionNumber(value: connection), at: now)
        case 6...8:
            guard let connection = carried.keys.sorted().randomElement(using: &generator) else {
                return
            }
            carried[connection] = nil
            let isReusable = Int.random(in: 0..<5, using: &generator) > 0
            if isReusable { idle[connection] = now } else { closing.insert(connection) }
            bench.answered(lane: lanes[connection]!, isReusable: isReusable, at: now)
        case 9:
            guard let number = waiting.keys.sorted().randomElement(using: &generator) else {
                return
            }
            if Bool.random(using: &generator) {
                waiting[number] = nil
                bench.machine.withdraw(CallNumber(value: number))
            } else if waiting[number]?.kind.isUpload == true {
                waiting[number]?.kind = .complete
                bench.machine.arrived(CallNumber(value: number))
            }
        case 10:
            guard let connection = carried.keys.sorted().randomElement(using: &generator),
                carried[connection]?.kind.isUpload == true
            else { return }
            carried[connection]?.kind = .complete
            bench.machine.arrived(on: lanes[connection]!)
        default:
            for connection in closing.sorted() {
                bench.machine.closed(ConnectionNumber(value: connection))
            }
            closing = []
        }
        settle()
    }

    private mutating func submit() {
        let kinds: [CallQueue.Kind] = [.check, .complete, .complete, .fastUpload, .slowUpload]
        let kind = kinds[Int.random(in: 0..<5, using: &generator)]
        let flow = kind == .check ? nil : Int.random(in: 0..<6, using: &generator)
        guard let admission = bench.submit(kind, of: flow ?? 0, by: now + 5_000, at: now) else {
            return
        }
        if let loser = admission.loser { waiting[loser.value] = nil }
        waiting[admission.number.value] = Call(kind: kind, flow: flow, since: now)
    }
}

@Suite("Pool machine: shares under random events")
struct PoolSharePropertyTests {
    @Test(
        "No bound is broken, nobody who holds more is before others, and nothing is idle in vain",
        arguments: 1...60)
    func random(_ seed: Int) {
        var pool = RandomPool(seed: seed)
        for _ in 0..<600 { pool.step() }
        #expect(pool.faults == [])
    }
}
