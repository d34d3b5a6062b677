// Counters that declare themselves: what is counted, and under which names it is shown.
//
// A group is a plain value with a stored field per counter: counting is an addition, without a lock
// and without an allocation. Next to its fields it declares its families. The sums over the loops,
// the page of metrics and the status report follow from these declarations. Only a scrape uses the
// key paths in this file.

/// A stored count: numbers, numbers by kind, times.
package protocol Countable: Sendable {
    /// Adds what `other` counted.
    mutating func add(_ other: Self)
    /// What was counted, for a page.
    var reading: CounterReading { get }
}

/// What a count shows.
package enum CounterReading {
    case number(UInt64)
    /// In the order in which the kinds are shown.
    case byKind([(kind: String, count: Int)])
    case times(LatencyHistogram)
}

/// One field of a group, whatever its type.
package struct Counter<Group>: Sendable {
    /// The field.
    package let path: PartialKeyPath<Group> & Sendable
    /// Adds the field of the second group to that of the first.
    package let add: @Sendable (inout Group, Group) -> Void
    package let read: @Sendable (Group) -> CounterReading

    package init<Value: Countable>(_ path: WritableKeyPath<Group, Value> & Sendable) {
        self.path = path
        add = { $0[keyPath: path].add($1[keyPath: path]) }
        read = { $0[keyPath: path].reading }
    }
}

/// Counters under one name: a family of the page of metrics, and its place in the status report.
package struct CounterFamily<Group>: Sendable {
    /// How its numbers are written.
    package enum Unit: Sendable {
        case count
        /// Counted in nanoseconds, shown in seconds.
        case seconds
        /// Histograms; every `step`th bound is shown.
        case histogram(step: Int)
    }

    /// Where its numbers are in the status report.
    package enum Status: Sendable {
        /// The only counter, under this key.
        case value(String)
        /// All counters together, under this key.
        case sum(String)
        /// An object under this key, with a field for each counter.
        case object(String)
        /// One of the counters, under this key.
        case one(String, of: String)
    }

    /// Without the prefix that all names have; nil when only the status report shows it.
    package let name: String?
    package let help: String
    package let unit: Unit
    /// The labels of its owners that its samples have, such as "loop". With none the owners are
    /// added up.
    package let owners: [String]
    /// The label that tells its counters apart; nil for a single counter.
    package let label: String?
    /// The label that tells the kinds of one counter apart.
    package let kindLabel: String
    package let counters: [(label: String, counter: Counter<Group>)]
    package let status: [Status]

    /// A family of one counter.
    /// - Parameters:
    ///   - owners: see `owners`.
    ///   - kind: the label of its kinds, of a counter that has some.
    ///   - status: where the status report shows it; nowhere if empty.
    package static func counter<Value: Countable>(
        _ name: String, _ help: String, by owners: String...,
        of path: WritableKeyPath<Group, Value> & Sendable, kind: String = "",
        in unit: Unit = .count, status: Status...
    ) -> CounterFamily {
        CounterFamily(
            name: name, help: help, unit: unit, owners: owners, label: nil, kindLabel: kind,
            counters: [("", Counter(path))], status: status)
    }

    /// A family of several counters, told apart by `label`.
    package static func counters<Value: Countable>(
        _ name: String, _ help: String, by owners: String..., label: String,
        _ counters: KeyValuePairs<String, WritableKeyPath<Group, Value> & Sendable>,
        kind: String = "", in unit: Unit = .count, status: Status...
    ) -> CounterFamily {
        CounterFamily(
            name: name, help: help, unit: unit, owners: owners, label: label, kindLabel: kind,
            counters: counters.map { ($0.key, Counter($0.value)) }, status: status)
    }

    /// A counter that only the status report shows, for each of its owners.
    package static func onlyStatus<Value: Countable>(
        by owners: String..., of path: WritableKeyPath<Group, Value> & Sendable, _ status: Status
    ) -> CounterFamily {
        CounterFamily(
            name: nil, help: "", unit: .count, owners: owners, label: nil, kindLabel: "",
            counters: [("", Counter(path))], status: [status])
    }
}

/// A value that a loop counts in. Every stored field is in exactly one family, or in `unshown`; a
/// test looks at the fields and misses what is in neither.
package protocol CounterGroup: Sendable {
    /// Nothing was counted.
    init()
    static var families: [CounterFamily<Self>] { get }
    /// Counters on no page, for tests and the simulation.
    static var unshown: [Counter<Self>] { get }
}

extension CounterGroup {
    package static var unshown: [Counter<Self>] { [] }

    /// All that it counts.
    package static var counters: [Counter<Self>] {
        families.flatMap { $0.counters.map(\.counter) } + unshown
    }

    /// Adds what `other` counted. For scrapes, not for the hot path.
    package mutating func add(_ other: Self) {
        for counter in Self.counters { counter.add(&self, other) }
    }
}

extension Int: Countable {
    package mutating func add(_ other: Int) { self &+= other }
    package var reading: CounterReading { .number(UInt64(clamping: self)) }
}

extension UInt64: Countable {
    package mutating func add(_ other: UInt64) { self &+= other }
    package var reading: CounterReading { .number(self) }
}

extension LatencyHistogram: Countable {
    package var reading: CounterReading { .times(self) }
}
