// Sizes and times as people write them: `50MB`, `60s`.
//
// A size's unit is binary (1 MB is 1,048,576 bytes), as on the product's page, where 50 MB is
// 52,428,800 bytes. A size without a unit is in bytes; a time needs its unit.

import ArgumentParser

/// A number of bytes.
struct ByteSize: ExpressibleByArgument, Equatable, Sendable {
    var bytes: Int

    init(bytes: Int) { self.bytes = bytes }

    init?(argument: String) {
        let units = [("", 1), ("B", 1), ("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30)]
        guard let (number, unit) = splitUnit(argument) else { return nil }
        var name = unit.uppercased()
        if name.count > 1, name.hasSuffix("B") { name.removeLast() }
        if name.count > 1, name.hasSuffix("I") { name.removeLast() }
        guard let factor = units.first(where: { $0.0 == name })?.1 else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        guard !overflow else { return nil }
        bytes = product
    }

    var defaultValueDescription: String {
        for (unit, factor) in [("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)]
        where bytes > 0 && bytes % factor == 0 {
            return "\(bytes / factor)\(unit)"
        }
        return "\(bytes)"
    }

    static func megabytes(_ count: Int) -> ByteSize { ByteSize(bytes: count << 20) }
    static func kilobytes(_ count: Int) -> ByteSize { ByteSize(bytes: count << 10) }
}

/// A number of milliseconds.
struct TimeSpan: ExpressibleByArgument, Equatable, Sendable {
    var milliseconds: Int

    init(milliseconds: Int) { self.milliseconds = milliseconds }

    init?(argument: String) {
        guard let (number, unit) = splitUnit(argument) else { return nil }
        let factor: Int
        switch unit.lowercased() {
        case "ms": factor = 1
        case "s": factor = 1_000
        case "m", "min": factor = 60_000
        case "h": factor = 3_600_000
        case "" where number == 0: factor = 1
        default: return nil
        }
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        guard !overflow else { return nil }
        milliseconds = product
    }

    var defaultValueDescription: String {
        for (unit, factor) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
        where milliseconds > 0 && milliseconds % factor == 0 {
            return "\(milliseconds / factor)\(unit)"
        }
        return "\(milliseconds)ms"
    }

    static func seconds(_ count: Int) -> TimeSpan { TimeSpan(milliseconds: count * 1_000) }
    static func minutes(_ count: Int) -> TimeSpan { seconds(count * 60) }
}

/// "64KB" is (64, "KB"); nil when it does not begin with digits or does not fit.
private func splitUnit(_ text: String) -> (number: Int, unit: String)? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int(digits) else { return nil }
    let unit = text.dropFirst(digits.count).drop { $0 == " " }
    return (number, String(unit))
}
