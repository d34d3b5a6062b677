// The pool's decisions, without a socket.

import Reactor
import Testing

@testable import APIClient

extension CallNumber: ExpressibleByIntegerLiteral {
    /// For short tests.
    public init(integerLiteral value: Int) { self.init(value: value) }
}

extension ConnectionNumber: ExpressibleByIntegerLiteral {
    /// For short tests.
    public init(integerLiteral value: Int) { self.init(value: value) }
}

/// A pool that writes its verdicts down as short texts: "open 0 a", "assign 0 to 0"… Over HTTP/1.1 a
/// connection names its lane.
struct PoolBench {
    var machine: PoolMachine
    let all: [SocketAddress]
    /// The lanes of each connection, by its number, the oldest first.
    private(set) var lanes: [Int: [LaneNumber]] = [:]
    /// Made when they are named first.
    private var flows: [FlowNumber] = []
    /// What other loops were to hear: "a at 100".
    private(set) var news: [String] = []

    init(_ count: Int, limits: PoolMachine.Limits = PoolMachine.Limits()) {
        machine = PoolMachine(limits: limits)
        all = (0..<count).map { SocketAddress("192.0.2.\($0 + 1):443")! }
    }

    static func resolved(
        _ count: Int, limits: PoolMachine.Limits = PoolMachine.Limits()
    ) -> PoolBench {
        var bench = PoolBench(count, limits: limits)
        bench.machine.resolved(bench.all)
        return bench
    }

    mutating func flow(_ index: Int) -> FlowNumber {
        while flows.count <= index { flows.append(machine.addFlow()) }
        return flows[index]
    }

    /// A complete message of the first flow, if nothing else is said.
    @discardableResult
    mutating func submit(
        _ kind: CallQueue.Kind = .complete, of index: Int = 0, by deadline: Int = 1_000_000,
        isRetry: Bool = false, at now: Int = 0
    ) -> PoolMachine.Admission? {
        machine.submit(
            kind, of: kind == .check ? nil : flow(index), deadline: .at(deadline),
            isRetry: isRetry, at: .at(now))
    }

    @discardableResult
    mutating func opened(
        _ connection: ConnectionNumber, streams: Int? = nil, at now: Int = 0
    ) -> MonotonicTime {
        lanes[connection.value] = []
        return machine.opened(connection, streamsMax: streams, at: .at(now))
    }

    /// The lane that the connection has carried longest.
    func lane(of connection: ConnectionNumber) -> LaneNumber {
        lanes[connection.value]?.first ?? LaneNumber(value: .max)
    }

    /// The connection that carries the lane, which ends now.
    private mutating func forget(_ lane: LaneNumber) {
        for connection in lanes.keys { lanes[connection]?.removeAll { $0 == lane } }
    }

    @discardableResult
    mutating func answered(
        _ connection: ConnectionNumber, isReusable: Bool, keepAlive: Int? = nil, at now: Int = 0
    ) -> MonotonicTime {
        answered(
            lane: lane(of: connection), isReusable: isReusable, keepAlive: keepAlive, at: now)
    }

    @discardableResult
    mutating func answered(
        lane: LaneNumber, isReusable: Bool = true, keepAlive: Int? = nil, at now: Int = 0
    ) -> MonotonicTime {
        forget(lane)
        return machine.answered(
            lane, isReusable: isReusable, keepAliveSeconds: keepAlive, at: .at(now))
    }

    mutating func broke(
        _ connection: ConnectionNumber, isFault: Bool, isUnanswered: Bool = false,
        at now: MonotonicTime
    ) {
        broke(
            lane: lane(of: connection), isFault: isFault, isUnanswered: isUnanswered, at: now)
    }

    @discardableResult
    mutating func broke(
        lane: LaneNumber, isFault: Bool, isUnanswered: Bool = false, at now: MonotonicTime
    ) -> MonotonicTime {
        forget(lane)
        return machine.broke(lane, isFault: isFault, isUnanswered: isUnanswered, at: now)
    }

    mutating func retired(
        _ connection: ConnectionNumber, isByPeer: Bool = true, at now: Int = 0
    ) {
        machine.retired(connection, isByPeer: isByPeer, at: .at(now))
    }

    /// What is to be done now, without what other loops are to hear.
    mutating func verdicts(at now: Int = 0) -> [String] {
        var result: [String] = []
        while true {
            let verdict = machine.next(at: .at(now))
            if verdict == .nothing { return result }
            if case .answers(let address) = verdict {
                news.append("\(name(address)) at \(now)")
                continue
            }
            result.append(describe(verdict))
            if case .assign(_, let connection, let lane) = verdict {
                lanes[connection.value, default: []].append(lane)
            }
            if case .breakOffUpload(let lane) = verdict {
                broke(lane: lane, isFault: false, at: .at(now))
            }
        }
    }

    private func name(_ address: SocketAddress) -> String {
        all.firstIndex(of: address).map { ["a", "b", "c", "d"][$0] } ?? "?"
    }

    private func describe(_ verdict: PoolMachine.Verdict) -> String {
        switch verdict {
        case .nothing, .answers: ""
        case .open(let connection, let address): "open \(connection.value) \(name(address))"
        case .assign(let call, let connection, _): "assign \(call.value) to \(connection.value)"
        case .fail(let call, let refusal): "fail \(call.value) \(refusal)"
        case .close(let connection): "close \(connection.value)"
        case .breakOffUpload(let lane): "break off \(machine.connection(of: lane).value)"
        case .rests(let address, let milliseconds): "rests \(name(address)) \(milliseconds)"
        case .limited(let address, let connections, let milliseconds):
            "limited \(name(address)) \(connections) \(milliseconds)"
        case .isBack(let address): "back \(name(address))"
        case .demandsHTTP1(let address): "http1 \(name(address))"
        }
    }
}

@Suite("Pool machine: calls and connections")
struct PoolMachineTests {
    @Test("A call before the first resolution waits, then opens a connection and gets it")
    func firstCall() {
        var bench = PoolBench(1)
        bench.submit()
        #expect(bench.verdicts() == [])
        bench.machine.resolved(bench.all)
        #expect(bench.verdicts() == ["open 0 a"])
        bench.opened(0)
        #expect(bench.verdicts() == ["assign 0 to 0"])
        bench.answered(0, isReusable: true)
        #expect(bench.verdicts() == [])
    }

    @Test("An idle connection is used again, without a new one")
    func reuse() {
        var bench = PoolBench.resolved(1)
        bench.submit()
        _ = bench.verdicts()
        bench.opened(0)
        _ = bench.verdicts()
        bench.answered(0, isReusable: true)
        bench.submit()
        #expect(bench.verdicts() == ["assign 0 to 0"])
    }

    @Test("Each waiting call gets a connection of its own, up to the maximum")
    func connectionsMax() {
        var bench = PoolBench.resolved(1, limits: PoolMachine.Limits(connectionsMax: 2))
        for _ in 0..<3 { bench.submit() }
        #expect(bench.verdicts() == ["open 0 a", "open 1 a"])
        bench.opened(0)
        bench.opened(1)
        #expect(bench.verdicts() == ["assign 0 to 1", "assign 1 to 0"])
        bench.answered(0, isReusable: false)
        #expect(bench.verdicts() == [])
        bench.machine.closed(0)
        #expect(bench.verdicts() == ["open 0 a"])
    }

    @Test("Only so many connections open at once")
    func openingMax() {
        var bench = PoolBench.resolved(1, limits: PoolMachine.Limits(openingMax: 3))
        for _ in 0..<10 { bench.submit() }
        #expect(bench.verdicts().count == 3)
    }

    @Test("A full queue refuses, except a call that had its turn")
    func queueFull() {
        var bench = PoolBench(1, limits: PoolMachine.Limits(queueMax: 2))
        #expect(bench.submit()?.number == 0)
        #expect(bench.submit()?.number == 1)
        #expect(bench.submit() == nil)
        #expect(bench.submit(isRetry: true)?.number == 2)
        bench.machine.resolved(bench.all)
        _ = bench.verdicts()
        bench.opened(0)
        #expect(bench.verdicts() == ["assign 2 to 0"])
    }

    @Test("Calls past their deadline fail, the others stay")
    func deadlines() {
        var bench = PoolBench(1)
        bench.submit(by: 500)
        bench.submit(by: 100)
        bench.submit(by: 100)
        #expect(bench.machine.wakeTime == .at(100))
        #expect(bench.verdicts(at: 99) == [])
        #expect(bench.verdicts(at: 100) == ["fail 1 deadlinePassed", "fail 2 deadlinePassed"])
        #expect(bench.machine.wakeTime == .at(500))
        bench.machine.setDeadline(.at(200), of: 0)
        #expect(bench.verdicts(at: 200) == ["fail 0 deadlinePassed"])
        #expect(bench.machine.wakeTime == .never)
    }

    @Test("A withdrawn call costs nobody its turn")
    func withdraw() {
        var bench = PoolBench.resolved(1)
        for _ in 0..<3 { bench.submit() }
        bench.machine.withdraw(1)
        #expect(bench.verdicts() == ["open 0 a", "open 1 a"])
        bench.opened(0)
        bench.opened(1)
        #expect(bench.verdicts() == ["assign 0 to 1", "assign 2 to 0"])
    }

    @Test("An idle connection that the peer closed is not given to a call")
    func retired() {
        var bench = PoolBench.resolved(1)
        bench.submit()
        _ = bench.verdicts()
        bench.opened(0)
        _ = bench.verdicts()
        bench.answered(0, isReusable: true)
        bench.retired(0)
        bench.retired(0)
        bench.submit()
        #expect(bench.verdicts() == ["open 1 a"])
        bench.machine.closed(0)
        #expect(bench.machine.connectionCount == 1)
        #expect(bench.machine.state(of: 0) == .free && bench.machine.state(of: 1) == .opening)
    }

    @Test("Draining closes what is idle, serves the queue, and keeps nothing afterwards")
    func drain() {
        var bench = PoolBench.resolved(1)
        bench.submit()
        bench.submit()
        _ = bench.verdicts()
        bench.opened(0)
        bench.opened(1)
        _ = bench.verdicts()
        bench.answered(0, isReusable: true)
        bench.machine.drain()
        #expect(bench.verdicts() == ["close 0"])
        bench.machine.closed(0)
        bench.submit()
        #expect(bench.verdicts() == ["open 0 a"])
        bench.answered(1, isReusable: true)
        #expect(bench.verdicts().first?.hasSuffix("to 1") == true)
        bench.opened(0)
        #expect(bench.verdicts() == ["close 0"])
        bench.answered(1, isReusable: true)
        #expect(bench.verdicts() == ["close 1"])
    }
}
