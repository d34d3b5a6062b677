// The place of a value on an axis, and the values that get a label.

import Foundation

/// An axis from 0 (its start) to 1 (its end).
struct Scale {
    struct Tick: Equatable {
        var value: Double
        var label: String
    }

    let ticks: [Tick]
    private let start: Double
    private let end: Double
    private let transform: @Sendable (Double) -> Double

    func place(_ value: Double) -> Double {
        let span = end - start
        guard span > 0 else { return 0 }
        return min(1, max(0, (transform(value) - start) / span))
    }

    /// From 0 to a round number that is not below `value`.
    static func linear(to value: Double) -> Scale {
        let greatest = value > 0 ? value : 1
        let step = roundStep(greatest / 5)
        let count = max(1, Int((greatest / step).rounded(.up)))
        return Scale(
            ticks: (0...count).map {
                Tick(value: Double($0) * step, label: label(Double($0) * step))
            }, start: 0, end: Double(count) * step, transform: { $0 })
    }

    /// Powers of ten around positive values.
    static func logarithmic(from least: Double, to greatest: Double) -> Scale {
        let first = Int(log10(max(least, 1e-3)).rounded(.down))
        let last = max(first + 1, Int(log10(max(greatest, 1e-3)).rounded(.up)))
        return Scale(
            ticks: (first...last).map {
                let value = pow(10, Double($0))
                return Tick(value: value, label: label(value))
            }, start: Double(first), end: Double(last), transform: { log10(max($0, 1e-9)) })
    }

    /// Percentiles: each additional nine gets as much room as the one before it.
    static let percentiles: Scale = {
        let nines: @Sendable (Double) -> Double = { -log10(max(1e-4, 1 - $0 / 100)) }
        return Scale(
            ticks: [
                Tick(value: 0, label: "0"), Tick(value: 50, label: "50"),
                Tick(value: 90, label: "90"), Tick(value: 99, label: "99"),
                Tick(value: 99.9, label: "99.9"), Tick(value: 99.99, label: "99.99 %"),
            ], start: 0, end: 4.15, transform: { $0 >= 100 ? 4.15 : nines($0) })
    }()

    /// 1, 2 or 5 times a power of ten, at least `rough`.
    static func roundStep(_ rough: Double) -> Double {
        let power = pow(10, log10(rough).rounded(.down))
        for factor in [1.0, 2, 5] where factor * power >= rough { return factor * power }
        return 10 * power
    }

    private static func label(_ value: Double) -> String {
        switch abs(value) {
        case 0: "0"
        case 1_000_000...: "\(trimmedZeros(value / 1_000_000))M"
        case 1_000...: "\(trimmedZeros(value / 1_000))k"
        default: trimmedZeros(value)
        }
    }

    private static func trimmedZeros(_ value: Double) -> String {
        var text = decimal(value, 3)
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return text
    }
}
