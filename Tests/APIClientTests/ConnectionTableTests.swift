// The states of a connection: which changes are possible, and that the counts follow them.

import Reactor
import Testing

@testable import APIClient

@Suite("Connections of a pool")
struct ConnectionTableTests {
    typealias State = ConnectionTable.State

    /// From each state to each that can follow it.
    static let changes: [State: [State]] = [
        .free: [.opening], .opening: [.free, .idle, .closing], .idle: [.busy, .closing],
        .busy: [.idle, .closing, .retiring], .retiring: [.closing], .closing: [.free],
    ]

    @Test(
        "A connection can go from a state only to those that follow it", arguments: State.allCases)
    func changes(_ state: State) throws {
        let following = try #require(Self.changes[state])
        for next in State.allCases {
            #expect(state.canBecome(next) == following.contains(next), "\(next)")
        }
    }

    @Test("A number is given out again only after its connection has gone")
    func numbers() {
        var table = ConnectionTable()
        let address = AddressIndex(value: 3)
        let first = table.take(for: address, at: .at(0))
        #expect(table.move(first, to: .opening) == .free)
        let second = table.take(for: address, at: .at(0))
        #expect(table.move(second, to: .opening) == .free)
        #expect(first != second && table.count == 2 && table.address(of: second) == address)
        for state in [State.idle, .busy, .closing, .free] { _ = table.move(first, to: state) }
        #expect(table.count == 1 && table.state(of: first) == .free)
        #expect(table.take(for: AddressIndex(value: 4), at: .at(0)) == first)
        #expect(table.address(of: first) == AddressIndex(value: 4))
    }

    @Test("The counts of an address follow the states of its connections")
    func counts() throws {
        var bench = PoolBench.resolved(1)
        for _ in 0..<4 { bench.submit() }
        _ = bench.verdicts()
        func expect(_ counts: [Int], _ totals: [Int]) throws {
            let report = try #require(bench.machine.addressReports.first)
            #expect([report.opening, report.idle, report.busy] == counts)
            #expect([report.connectionsOpened, report.connectionsFailed, report.calls] == totals)
        }
        try expect([4, 0, 0], [0, 0, 0])
        bench.opened(0)
        bench.opened(1)
        try expect([2, 2, 0], [2, 0, 0])
        #expect(bench.verdicts().count == 2)
        try expect([2, 0, 2], [2, 0, 2])
        bench.machine.openingFailed(2, at: .at(1))
        try expect([1, 0, 2], [2, 1, 2])
        bench.answered(0, isReusable: false)
        bench.broke(1, isFault: false, at: .at(2))
        try expect([1, 0, 0], [2, 1, 2])
        bench.machine.closed(0)
        bench.machine.closed(1)
        bench.opened(3)
        try expect([0, 1, 0], [3, 1, 2])
        bench.retired(3)
        try expect([0, 0, 0], [3, 1, 2])
        bench.machine.closed(3)
        #expect(bench.machine.connectionCount == 0)
    }
}
