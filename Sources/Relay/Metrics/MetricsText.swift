// Prometheus's text format, version 0.0.4: families with HELP and TYPE, samples with labels.
//
// Times are in seconds and sizes in bytes, as Prometheus wants it. Numbers are written exactly: a
// nanosecond count as a decimal fraction, never through a floating-point number.

import Reactor

/// A page of metrics under construction.
struct MetricsText {
    enum Kind: String { case counter, gauge, histogram }

    typealias Labels = KeyValuePairs<String, String>

    static let contentType = "text/plain; version=0.0.4; charset=utf-8"
    /// In front of every name of ours.
    static let prefix = "postscale_relay_"

    private(set) var bytes: [UInt8] = []
    private var name = ""

    init() { bytes.reserveCapacity(65_536) }

    /// Begins a family; its samples follow. A name that begins with `process_` is nobody's own.
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
        for (key, text) in labels {
            append("\(separator)\(key)=\"\(Self.escaped(text))\"")
            separator = ","
        }
        if let le {
            append("\(separator)le=\"\(le)\"")
            separator = ","
        }
        append(separator == "{" ? " \(value)\n" : "} \(value)\n")
    }

    /// The three characters that a label's value can't hold as they are.
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
