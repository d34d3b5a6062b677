// Prometheus's text format, version 0.0.4: families with HELP and TYPE, samples with labels.
//
// Times are in seconds and sizes in bytes, as Prometheus asks. Numbers are written exactly: a
// nanosecond count as a decimal fraction, never through a floating-point number.

import Reactor

/// The labels of a sample, in their order.
struct MetricLabels: ExpressibleByDictionaryLiteral {
    private(set) var pairs: [(name: String, value: String)]

    init(dictionaryLiteral pairs: (String, String)...) { self.pairs = pairs }

    /// Those with these names, in the order of the names.
    func only(_ names: [String]) -> MetricLabels {
        var labels: MetricLabels = [:]
        labels.pairs = names.compactMap { name in pairs.first { $0.name == name } }
        return labels
    }

    func with(_ name: String, _ value: String) -> MetricLabels {
        var labels = self
        labels.pairs.append((name, value))
        return labels
    }
}

/// A page of metrics under construction.
struct MetricsText {
    enum Kind: String { case counter, gauge, histogram }

    typealias Labels = MetricLabels

    static let contentType = "text/plain; version=0.0.4; charset=utf-8"
    /// The prefix of all names of ours.
    static let prefix = "postscale_relay_"

    private(set) var bytes: [UInt8] = []
    private var name = ""

    init() { bytes.reserveCapacity(65_536) }

    /// Begins a family; its samples follow. A name that begins with `process_` is common to all
    /// programs and gets no prefix.
    mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name.hasPrefix("process_") ? name : Self.prefix + name
        append("# HELP \(self.name) \(help)\n# TYPE \(self.name) \(kind.rawValue)\n")
    }

    mutating func sample(_ labels: Labels, _ value: Int) { line("", labels, "\(value)") }
    mutating func sample(_ labels: Labels, _ value: UInt64) { line("", labels, "\(value)") }
    mutating func sample(_ labels: Labels, _ value: Bool) {
        line("", labels, value ? "1" : "0")
    }
    mutating func sample(_ labels: Labels, nanoseconds: UInt64) {
        line("", labels, Self.seconds(nanoseconds: nanoseconds))
    }

    /// A family of one sample.
    mutating func counter(_ name: String, _ value: Int, _ help: String) {
        family(name, .counter, help)
        sample([:], value)
    }
    mutating func gauge(_ name: String, _ value: Int, _ help: String) {
        family(name, .gauge, help)
        sample([:], value)
    }

    /// The families of a group that has no labels of its own.
    mutating func families<Group: CounterGroup>(
        _ families: [CounterFamily<Group>], of group: Group
    ) {
        self.families(families, of: [(labels: [:] as Labels, counts: group)])
    }

    /// The families of several groups of one kind, by their labels.
    mutating func families<Group: CounterGroup>(
        _ families: [CounterFamily<Group>], of groups: [(labels: Labels, counts: Group)]
    ) {
        for family in families {
            guard let name = family.name else { continue }
            if case .histogram = family.unit {
                self.family(name, .histogram, family.help)
            } else {
                self.family(name, .counter, family.help)
            }
            if family.owners.isEmpty {
                var sum = Group()
                for group in groups { sum.add(group.counts) }
                samples(family, [:], sum)
            } else {
                for group in groups {
                    samples(family, group.labels.only(family.owners), group.counts)
                }
            }
        }
    }

    private mutating func samples<Group: CounterGroup>(
        _ family: CounterFamily<Group>, _ labels: Labels, _ counts: Group
    ) {
        for (value, counter) in family.counters {
            let labels = family.label.map { labels.with($0, value) } ?? labels
            switch counter.read(counts) {
            case .number(let number):
                if case .seconds = family.unit {
                    sample(labels, nanoseconds: number)
                } else {
                    sample(labels, number)
                }
            case .byKind(let kinds):
                for (kind, count) in kinds { sample(labels.with(family.kindLabel, kind), count) }
            case .times(let times):
                var step = 1
                if case .histogram(let every) = family.unit { step = every }
                histogram(labels, times, step: step)
            }
        }
    }

    /// One histogram of a family.
    /// - Parameter step: 1 for all bounds; 4 for every fourth, where there are many series.
    mutating func histogram(_ labels: Labels, _ histogram: LatencyHistogram, step: Int = 1) {
        var count: UInt64 = 0
        for bucket in 0..<LatencyHistogram.boundCount {
            count += histogram.count(inBucket: bucket)
            guard bucket % step == 0 else { continue }
            let bound = UInt64(LatencyHistogram.boundMicroseconds(bucket)) * 1_000
            line("_bucket", labels, "\(count)", le: Self.seconds(nanoseconds: bound))
        }
        count += histogram.count(inBucket: LatencyHistogram.boundCount)
        line("_bucket", labels, "\(count)", le: "+Inf")
        line("_sum", labels, Self.seconds(nanoseconds: histogram.sumNanoseconds))
        line("_count", labels, "\(count)")
    }

    /// "1.5" for 1,500,000,000.
    static func seconds(nanoseconds: UInt64) -> String {
        let (whole, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        guard rest > 0 else { return "\(whole)" }
        let digits = "\(rest)"
        var fraction = String(repeating: "0", count: 9 - digits.utf8.count) + digits
        while fraction.hasSuffix("0") { fraction.removeLast() }
        return "\(whole).\(fraction)"
    }

    private mutating func line(
        _ suffix: String, _ labels: Labels, _ value: String, le: String? = nil
    ) {
        append(name)
        append(suffix)
        var separator = "{"
        for (key, text) in labels.pairs {
            append("\(separator)\(key)=\"\(Self.escaped(text))\"")
            separator = ","
        }
        if let le {
            append("\(separator)le=\"\(le)\"")
            separator = ","
        }
        append(separator == "{" ? " \(value)\n" : "} \(value)\n")
    }

    /// Escapes the three characters that a label's value cannot hold as they are.
    private static func escaped(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 == 0x5C || $0 == 0x22 || $0 == 0x0A }) else {
            return text
        }
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }
}
