// A pool whose addresses speak HTTP/2 (some of them HTTP/1.1) under random events: openings, answers,
// GOAWAY, other numbers of streams, resets, demands for HTTP/1.1, connections that fail. What it must never do.

import Reactor
import TestSupport
import Testing

@testable import APIClient

private struct RandomLanes {
    struct Call {
        var kind: CallQueue.Kind
        var flow: Int?
        var since: Int
    }

    struct Connection {
        var address: SocketAddress
        /// nil: HTTP/1.1.
        var streams: Int?
        var lanes: [Int] = []
        var isRetiring = false

        var room: Int { isRetiring ? 0 : (streams ?? 1) - lanes.count }
    }

    /// One address, HTTP/2 only, and nothing that makes it rest: then the shares are known exactly.
    let isStrict: Bool
    let limits: PoolMachine.Limits
    var bench: PoolBench
    var generator: SeededGenerator
    /// Calls that wait, by number.
    var waiting: [Int: Call] = [:]
    /// By lane.
    var carried: [Int: Call] = [:]
    var opening: [Int: SocketAddress] = [:]
    var connections: [Int: Connection] = [:]
    var closing: Set<Int> = []
    /// What a strict address is believed to take, and what each one's settings said last.
    var streams = 0
    var said: [String: Int] = [:]
    var now = 1
    var ended = 0
    var submitted = 0
    var demands = 0
    var faults: [String] = []

    init(seed: Int) {
        generator = SeededGenerator(seed: UInt64(seed))
        isStrict = seed % 2 == 0
        limits = PoolMachine.Limits(
            connectionsMax: 12, http2ConnectionsMax: [1, 2, 3, 16][seed / 2 % 4],
            offersHTTP2: true, queueMax: 60)
        bench = PoolBench.resolved(isStrict ? 1 : 3, limits: limits)
    }

    private mutating func check(_ isRight: Bool, _ fault: String) {
        if !isRight { faults.append("\(fault) at \(now)") }
    }

    private mutating func pick(_ numbers: some Sequence<Int>) -> Int? {
        numbers.sorted().randomElement(using: &generator)
    }

    private mutating func roll(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &generator) }

    // MARK: - What is known

    private var usable: Int { connections.values.count { $0.streams != nil && !$0.isRetiring } }

    /// Streams that there are, and that further connections would have.
    private var potential: Int {
        let there = connections.values.filter { !$0.isRetiring }.reduce(0) {
            $0 + ($1.streams ?? 0)
        }
        return there + max(0, limits.http2ConnectionsMax - usable) * max(1, streams)
    }

    private func held(_ flow: Int?) -> Int { carried.values.count { $0.flow == flow } }

    private func mayTake(_ call: Call) -> Bool {
        guard call.flow != nil else { return true }
        let messages = carried.values.count { $0.flow != nil }
        let most = potential < 2 ? potential : potential - max(1, potential / 16)
        guard messages < most else { return false }
        guard call.kind.isUpload else { return true }
        let uploads = carried.values.filter { $0.kind.isUpload }
        let free = max(1, limits.http2ConnectionsMax * streams / 2) - uploads.count
        guard uploads.count(where: { $0.flow == call.flow }) < free else { return false }
        return call.kind == .fastUpload || now - call.since >= 500
            || !waiting.values.contains { $0.kind == .complete || $0.kind == .check }
    }

    private func isResting(_ address: SocketAddress) -> Bool {
        bench.machine.addressReports.first { $0.address == address }?.health == .resting
    }

    // MARK: - Verdicts

    private mutating func assigned(_ number: Int, _ connection: Int, _ lane: Int) {
        guard let call = waiting[number] else { return faults.append("assigned twice") }
        check(carried[lane] == nil, "a lane is given twice")
        check((connections[connection]?.room ?? 0) > 0, "no room on \(connection)")
        if call.flow != nil {
            check(!waiting.values.contains { $0.kind == .check }, "a check waits for a message")
        }
        if isStrict {
            check(mayTake(call), "a share is broken by \(call)")
            let others = waiting.values.filter {
                $0.kind == call.kind && call.flow != nil && $0.kind != .slowUpload && mayTake($0)
            }
            check(
                others.allSatisfy { held($0.flow) >= held(call.flow) },
                "somebody waits who holds less")
        }
        waiting[number] = nil
        carried[lane] = call
        connections[connection]?.lanes.append(lane)
    }

    private mutating func opens(_ connection: Int, _ address: SocketAddress) {
        let report = bench.machine.addressReports.first { $0.address == address }
        if report?.version != .http1 {
            check(!opening.values.contains(address), "two openings at once")
        }
        opening[connection] = address
    }

    private mutating func settled() {
        let room = connections.values.contains { $0.room > 0 && !isResting($0.address) }
        if room {
            check(!waiting.values.contains { $0.kind == .check }, "a check waits beside a lane")
            if isStrict {
                check(!waiting.values.contains(where: mayTake), "a message waits beside a lane")
            }
        }
        check(usable <= limits.http2ConnectionsMax, "too many connections")
        for (number, connection) in connections where connection.streams != nil {
            let isRefused = bench.machine.isHTTP1Demanded(on: ConnectionNumber(value: number))
            check(!isRefused || connection.isRetiring, "HTTP/2 to an address that refuses it")
        }
        let report = bench.machine.addressReports
        check(
            report.reduce(0) { $0 + $1.callsInFlight } == carried.count, "lanes are miscounted")
        let all = connections.count + opening.count + closing.count
        check(bench.machine.connectionCount == all, "connections are miscounted")
    }

    mutating func settle() {
        while true {
            switch bench.machine.next(at: .at(now)) {
            case .nothing: return settled()
            case .open(let connection, let address): opens(connection.value, address)
            case .assign(let call, let connection, let lane):
                assigned(call.value, connection.value, lane.value)
            case .fail(let call, _):
                check(waiting.removeValue(forKey: call.value) != nil, "failed twice")
                ended += 1
            case .close(let connection):
                // It may have failed in the meantime.
                guard let gone = connections.removeValue(forKey: connection.value) else { break }
                check(gone.lanes.isEmpty, "a connection is closed under its calls")
                closing.insert(connection.value)
            case .breakOffUpload(let lane):
                check(
                    carried.values.allSatisfy { $0.kind.isUpload }, "there are others than uploads")
                check(waiting.values.contains { !$0.kind.isUpload }, "nobody needs it")
                end(lane.value, isAnswered: false, isFault: false)
            case .answers, .rests, .limited, .isBack, .demandsHTTP1: break
            }
        }
    }

    // MARK: - Events

    private mutating func end(_ lane: Int, isAnswered: Bool, isFault: Bool) {
        guard carried.removeValue(forKey: lane) != nil else { return faults.append("ended twice") }
        ended += 1
        let number = bench.machine.connection(of: LaneNumber(value: lane)).value
        connections[number]?.lanes.removeAll { $0 == lane }
        let isShared = connections[number]?.streams != nil
        let isReusable = isAnswered && (isShared || roll(5) > 0)
        if isAnswered {
            _ = bench.machine.answered(
                LaneNumber(value: lane), isReusable: isReusable, at: .at(now))
        } else {
            bench.machine.broke(LaneNumber(value: lane), isFault: isFault, at: .at(now))
        }
        if !isShared && !isReusable {
            connections[number] = nil
            closing.insert(number)
        }
    }

    private mutating func open() {
        guard let connection = pick(opening.keys), let address = opening[connection] else { return }
        opening[connection] = nil
        if !isStrict && roll(6) == 0 {
            return bench.machine.openingFailed(ConnectionNumber(value: connection), at: .at(now))
        }
        let isHTTP2 = isStrict || roll(4) > 0
        let count = isHTTP2 ? [0, 1, 2, 5, 20][roll(5)] : nil
        let believed = count.map { min($0, said[address.description] ?? .max) }
        if let believed { streams = believed }
        connections[connection] = Connection(address: address, streams: believed)
        bench.opened(ConnectionNumber(value: connection), streams: count, at: now)
    }

    /// Something happens to one HTTP/2 connection.
    private mutating func disturb() {
        let shared = connections.filter { $0.value.streams != nil }.keys
        guard let number = pick(shared), let connection = connections[number] else { return }
        switch roll(isStrict ? 3 : 5) {
        case 4: demandHTTP1(over: number, to: connection.address)
        case 0:
            let count = [0, 1, 3, 8, 20][roll(5)]
            bench.machine.streamsChanged(ConnectionNumber(value: number), to: count)
            guard !connection.isRetiring else { return }
            connections[number]?.streams = count
            streams = count
            said[connection.address.description] = count
        case 1:
            bench.machine.retiring(
                ConnectionNumber(value: number), isByPeer: roll(2) == 0, at: .at(now))
            connections[number]?.isRetiring = true
        default:
            // It fails.
            let isFault = !isStrict && roll(2) == 0
            for lane in connection.lanes { end(lane, isAnswered: false, isFault: isFault) }
            if connection.lanes.isEmpty || roll(2) == 0 {
                bench.retired(ConnectionNumber(value: number), at: now)
            }
            bench.machine.closed(ConnectionNumber(value: number))
            connections[number] = nil
        }
    }

    /// The address wants HTTP/1.1, as one of its connections has said.
    private mutating func demandHTTP1(over number: Int, to address: SocketAddress) {
        bench.machine.demandedHTTP1(ConnectionNumber(value: number))
        for (number, connection) in connections
        where connection.streams != nil && connection.address == address {
            connections[number]?.isRetiring = true
        }
        demands += 1
    }

    private mutating func submit() {
        let kinds: [CallQueue.Kind] = [.check, .complete, .complete, .fastUpload, .slowUpload]
        let kind = kinds[roll(5)]
        let flow = kind == .check ? nil : roll(6)
        guard let admission = bench.submit(kind, of: flow ?? 0, by: now + 5_000, at: now) else {
            return
        }
        submitted += 1
        if let loser = admission.loser {
            check(waiting.removeValue(forKey: loser.value) != nil, "lost twice")
            ended += 1
        }
        waiting[admission.number.value] = Call(kind: kind, flow: flow, since: now)
    }

    mutating func step() {
        if roll(2) == 0 { now += roll(40) }
        switch roll(14) {
        case 0...5: submit()
        case 6, 7: open()
        case 8...10:
            guard let lane = pick(carried.keys) else { return }
            end(lane, isAnswered: roll(6) > 0, isFault: !isStrict && roll(4) == 0)
        case 11:
            guard let lane = pick(carried.keys), carried[lane]?.kind.isUpload == true else {
                return
            }
            carried[lane]?.kind = .complete
            bench.machine.arrived(on: LaneNumber(value: lane))
        case 12: disturb()
        default:
            for connection in closing.sorted() {
                bench.machine.closed(ConnectionNumber(value: connection))
            }
            closing = []
        }
        settle()
    }

    /// Everything that is left ends.
    mutating func finish() {
        for _ in 0..<1_000 where !(waiting.isEmpty && carried.isEmpty) {
            now += 100
            open()
            for lane in carried.keys.sorted() { end(lane, isAnswered: true, isFault: false) }
            settle()
        }
        check(waiting.isEmpty && carried.isEmpty, "calls are left")
        check(ended == submitted, "\(submitted) calls and \(ended) ends")
        for flow in 0..<6 {
            let number = bench.flow(flow)
            let left = bench.machine.holdings(of: number)
            check(
                left == FlowHoldings(connections: 0, uploads: 0, waiting: 0), "\(flow) has \(left)")
        }
    }
}

@Suite("Pool machine: HTTP/2 under random events")
struct PoolLanePropertyTests {
    @Test(
        "No connection carries more than it may, no share is broken, and every call ends once",
        arguments: 1...80)
    func random(_ seed: Int) {
        var pool = RandomLanes(seed: seed)
        for _ in 0..<600 where pool.faults.isEmpty { pool.step() }
        if pool.faults.isEmpty { pool.finish() }
        #expect(pool.faults == [])
        #expect(pool.isStrict || pool.demands > 0)
    }
}
