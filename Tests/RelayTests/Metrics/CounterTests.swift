// Counters and what follows from their declarations: sums, the page of metrics, the status report.
//
// The tests look at each group from both sides: its stored fields (by `Mirror`) and its
// declaration. They fail for a field that is not declared, and for a declared counter that is
// missing from a sum, the page or the report.

import Foundation
import Reactor
import Testing

@testable import APIClient
@testable import Mapping
@testable import Relay

/// Gives every declared counter of a group its own count, from `first` on.
private func filled<Group: CounterGroup>(_ type: Group.Type, from first: Int) -> Group {
    var group = Group()
    for (index, counter) in Group.counters.enumerated() {
        let number = first + index
        switch counter.path {
        case let path as WritableKeyPath<Group, Int>: group[keyPath: path] = number
        case let path as WritableKeyPath<Group, UInt64>: group[keyPath: path] = UInt64(number)
        case let path as WritableKeyPath<Group, LatencyHistogram>:
            for _ in 0..<number { group[keyPath: path].record(nanoseconds: 1) }
        case let path as WritableKeyPath<Group, CodeCounts>:
            for _ in 0..<number { group[keyPath: path].count(250) }
        case let path as WritableKeyPath<Group, CommandCounts>:
            for _ in 0..<number { group[keyPath: path].count(.rcpt) }
        case let path as WritableKeyPath<Group, OutcomeCounts>:
            group[keyPath: path].add(number, to: .tooLarge)
        case let path as WritableKeyPath<Group, MappingLosses>:
            group[keyPath: path][.preambles] = number
        default: Issue.record("a counter of a type that this test cannot fill: \(counter.path)")
        }
    }
    return group
}

/// The stored counts of a value, however deep, by their names, as `Mirror` sees them.
private func fields(of value: Any, _ name: String = "") -> [(name: String, count: any Countable)] {
    if let count = value as? any Countable { return [(name, count)] }
    let children = Mirror(reflecting: value).children
    if children.isEmpty { Issue.record("\(name) is no count and holds none") }
    return children.flatMap { fields(of: $0.value, name + "." + ($0.label ?? "?")) }
}

/// Whether anything was counted.
private func isCounted(_ count: any Countable) -> Bool {
    switch count.reading {
    case .number(let number): number > 0
    case .byKind(let kinds): kinds.contains { $0.count > 0 }
    case .times(let times): times.count > 0
    }
}

/// The errors in the declaration of a group, in words.
private func faults<Group: CounterGroup>(_ type: Group.Type) -> [String] {
    var faults: [String] = []
    let counters = Group.counters
    if Set(counters.map { $0.path as AnyKeyPath }).count != counters.count {
        faults.append("a counter is declared twice")
    }
    let group = filled(Group.self, from: 1)
    let fields = fields(of: group)
    for field in fields where !isCounted(field.count) {
        faults.append("\(field.name) is not declared")
    }
    if fields.count != counters.count {
        faults.append("\(fields.count) fields, \(counters.count) declared counters")
    }
    // Counts of two loops: the sum must contain all of them. Every stored word is compared.
    let other = filled(Group.self, from: 1_000)
    var sum = group
    sum.add(other)
    if words(of: sum) != zip(words(of: group), words(of: other)).map(&+) {
        faults.append("the sum is not the sum of every field")
    }
    return faults
}

private func words<Group>(of group: Group) -> [UInt64] {
    withUnsafeBytes(of: group) { Array($0.bindMemory(to: UInt64.self)) }
}

/// A group with an undeclared field, as a later change might add one.
private struct Forgetful: CounterGroup {
    struct Inner: Sendable {
        var declared = 0
        var forgotten = 0
    }

    var declared = 0
    var inner = Inner()

    static let families: [CounterFamily<Forgetful>] = [
        .counter("a", "A.", of: \.declared), .counter("b", "B.", of: \.inner.declared),
    ]
}

/// A group that declares one field under two names.
private struct Repetitive: CounterGroup {
    var declared = 0

    static let families: [CounterFamily<Repetitive>] = [
        .counter("a", "A.", of: \.declared), .counter("b", "B.", of: \.declared),
    ]
}

@Suite struct CounterTests {
    @Test("Every stored field of every group is declared once, and the sums forget nothing")
    func sumsForgetNothing() {
        #expect(faults(RelayCounters.self) == [])
        #expect(faults(ListenerCounters.self) == [])
        #expect(faults(KeyCheckCounts.self) == [])
        #expect(faults(PoolCounters.self) == [])
        #expect(faults(LoopCounters.self) == [])
    }

    @Test("A field that is not declared is found, however deep it lies")
    func undeclared() {
        #expect(
            faults(Forgetful.self) == [
                ".inner.forgotten is not declared", "3 fields, 2 declared counters",
            ])
        #expect(faults(Repetitive.self).first == "a counter is declared twice")
    }

    // MARK: The page and the report

    /// Two loops on which every declared counter has its own count.
    private var snapshot: RelaySnapshot {
        var facts = RelayFacts()
        facts.listeners = Self.addresses.compactMap { text in
            SocketAddress(text).map { ListenerSpec(address: $0, isImplicitTLS: false) }
        }
        return RelaySnapshot(
            workers: (0..<2).map { loop in
                let first = (loop + 1) * 10_000
                return WorkerSnapshot(
                    index: loop, loop: filled(LoopCounters.self, from: first),
                    gauges: LoopGauges(), counters: filled(RelayCounters.self, from: first + 100),
                    listeners: [
                        filled(ListenerCounters.self, from: first + 200),
                        filled(ListenerCounters.self, from: first + 300),
                    ],
                    pool: PoolReport(
                        counters: filled(PoolCounters.self, from: first + 400), addresses: [],
                        queued: 0, isReady: true),
                    keyChecks: filled(KeyCheckCounts.self, from: first + 500), sessions: 0)
            }, silentLoops: [], facts: facts)
    }

    private static let addresses = ["127.0.0.1:1", "127.0.0.1:2"]

    /// The families on the page by name, with how often each appears.
    private func families(on page: [UInt8]) -> [String: Int] {
        var found: [String: Int] = [:]
        for line in String(decoding: page, as: UTF8.self).split(separator: "\n") {
            guard line.hasPrefix("# TYPE postscale_relay_") else { continue }
            found[String(line.dropFirst(23).prefix { $0 != " " }), default: 0] += 1
        }
        return found
    }

    /// Counters of a group that are missing from `page`: no sample ends with their number.
    private func missing<Group: CounterGroup>(_ group: Group, on page: [UInt8]) -> [String] {
        let lines = String(decoding: page, as: UTF8.self).split(separator: "\n")
        let present = families(on: page)
        return Group.families.flatMap { family -> [String] in
            guard let name = family.name else { return [] }
            guard present[name] == 1 else { return ["\(name): \(present[name] ?? 0) times"] }
            let samples = lines.filter { $0.hasPrefix("postscale_relay_" + name) }
            return family.counters.compactMap { label, counter in
                let number = Self.text(counter.read(group), family.unit)
                return samples.contains { $0.hasSuffix(" " + number) } ? nil : "\(name) \(label)"
            }
        }
    }

    private static func text<Group>(
        _ reading: CounterReading, _ unit: CounterFamily<Group>.Unit
    ) -> String {
        switch reading {
        case .number(let number):
            if case .seconds = unit { return MetricsText.seconds(nanoseconds: number) }
            return "\(number)"
        case .byKind(let kinds): return "\(kinds.reduce(0) { $0 + $1.count })"
        case .times(let times): return "\(times.count)"
        }
    }

    @Test("Every declared counter is on the page, once, with its own number")
    func page() {
        let snapshot = snapshot
        let totals = snapshot.totals
        let page = MetricsPage.text(snapshot)
        #expect(missing(totals.counters, on: page) == [])
        #expect(missing(totals.keyChecks, on: page) == [])
        #expect(missing(totals.pool, on: page) == [])
        for listener in totals.listeners { #expect(missing(listener, on: page) == []) }
        // Some families count all loops together, the others each loop.
        let ofAll = LoopCounters.families.filter { $0.owners.isEmpty }.compactMap(\.name)
        #expect(missing(totals.loop, on: page).allSatisfy { !ofAll.contains(word($0)) })
        for worker in snapshot.workers {
            #expect(missing(worker.loop, on: page).allSatisfy { ofAll.contains(word($0)) })
        }
        #expect(families(on: page).values.allSatisfy { $0 == 1 })
    }

    private func word(_ text: String) -> String { String(text.prefix { $0 != " " }) }

    @Test("What a family says of the status report is there, with its own number")
    func report() throws {
        let snapshot = snapshot
        let totals = snapshot.totals
        let object = try JSONSerialization.jsonObject(with: Data(StatusReport.json(snapshot)))
        let report = try #require(object as? NSDictionary)
        let api = try #require(report["api"] as? NSDictionary)
        let latency = try #require(report["latency"] as? NSDictionary)
        #expect(unsaid(totals.counters, in: [report, latency]) == [])
        #expect(unsaid(totals.keyChecks, in: [report]) == [])
        #expect(unsaid(totals.pool, in: [api, latency]) == [])
        let listeners = try #require(report["listeners"] as? [NSDictionary])
        #expect(listeners.count == totals.listeners.count)
        for (counts, object) in zip(totals.listeners, listeners) {
            #expect(unsaid(counts, in: [object]) == [])
        }
        let loops = try #require(report["loops"] as? [NSDictionary])
        #expect(loops.count == 2)
        for (worker, object) in zip(snapshot.workers, loops) {
            #expect(unsaid(worker.loop, in: [object]) == [])
        }
    }

    /// Keys of a group for which none of `objects` has the right number.
    private func unsaid<Group: CounterGroup>(
        _ group: Group, in objects: [NSDictionary]
    ) -> [String] {
        Group.families.flatMap { family in
            family.status.compactMap { status -> String? in
                let counters = family.counters
                let (key, wanted): (String, [(label: String, counter: Counter<Group>)]) =
                    switch status {
                    case .value(let key), .sum(let key), .object(let key): (key, counters)
                    case .one(let key, let label): (key, counters.filter { $0.label == label })
                    }
                let number = wanted.reduce(0) { $0 + Self.total($1.counter.read(group)) }
                return objects.contains { Self.total($0[key]) == number } ? nil : key
            }
        }
    }

    private static func total(_ reading: CounterReading) -> Int {
        switch reading {
        case .number(let number): Int(number)
        case .byKind(let kinds): kinds.reduce(0) { $0 + $1.count }
        case .times(let times): Int(times.count)
        }
    }

    private static func total(_ value: Any?) -> Int? {
        switch value {
        case let number as Int: number
        case let list as [Int]: list.reduce(0, +)
        case let object as [String: Int]: object.values.reduce(0, +)
        default: nil
        }
    }
}
