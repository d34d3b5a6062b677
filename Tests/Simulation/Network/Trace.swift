// The events of a run, as a number that two runs of a seed must agree on, and as lines for a
// reader.

import Reactor

/// A running hash of a run, FNV-1a (Fowler, Noll, Vo) over whole words.
final class Trace {
    private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    let isVerbose: Bool

    init(isVerbose: Bool) { self.isVerbose = isVerbose }

    func note(_ world: World, _ what: StaticString, _ first: Int, _ second: Int = 0) {
        mix(world.now.nanoseconds)
        mix(UInt64(truncatingIfNeeded: first))
        mix(UInt64(truncatingIfNeeded: second))
        guard isVerbose else { return }
        say(world, "\(what) \(first) \(second)")
    }

    /// A line for readers only.
    func say(_ world: World, _ line: @autoclosure () -> String) {
        guard isVerbose else { return }
        let micros = world.now.nanoseconds / 1_000 - 1_000_000_000
        let whole = String(micros / 1_000_000)
        let rest = String(micros % 1_000_000)
        print("\(whole).\(String(repeating: "0", count: 6 - rest.count))\(rest) \(line())")
    }

    private func mix(_ word: UInt64) {
        hash = (hash ^ word) &* 0x0000_0100_0000_01B3
        hash ^= hash >> 29
    }
}
