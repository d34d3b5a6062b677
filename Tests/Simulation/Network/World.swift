// Time and order of a simulated network: one clock, one queue of future events, and the loops.
//
// Everything runs in the caller's thread. When no loop has anything to do, the clock jumps to the
// next event, so an hour of waiting costs nothing. When several loops could run, the dice choose
// one.

import Reactor

/// The clock, the queue and the hosts of one run.
final class World {
    let weather: Weather
    private(set) var now = MonotonicTime(nanoseconds: 1_000_000_000_000)
    /// Of the network and its faults.
    var dice: Dice
    var hosts: [SimulatedHost] = []
    var listeners: [SimulatedListener] = []
    var links = 0
    /// Operations so far that could have failed.
    private(set) var operations = 0
    /// Faults that happened.
    var faults = 0
    let trace: Trace
    private var queue = EventHeap()

    init(weather: Weather, seed: UInt64, trace: Trace) {
        self.weather = weather
        self.trace = trace
        dice = Dice(seed: seed, part: 1)
    }

    /// Makes `action` happen after this many microseconds.
    func after(microseconds: Int, _ action: @escaping () -> Void) {
        at(
            MonotonicTime(nanoseconds: now.nanoseconds + UInt64(max(microseconds, 0)) * 1_000),
            action)
    }

    func at(_ time: MonotonicTime, _ action: @escaping () -> Void) {
        queue.push(time: max(time, now), action)
    }

    /// Counts one operation; returns whether it must fail, and how.
    /// - Parameter chance: the chance of failing, in a run that leaves it to the dice.
    func fault(_ operation: Operation, chance: Double) -> Bool {
        operations += 1
        if let target = weather.failingOperation {
            guard operations == target else { return false }
        } else {
            guard dice.happens(chance) else { return false }
        }
        faults += 1
        trace.note(self, "fault", operation.rawValue, operations)
        return true
    }

    /// The kinds of operations that can fail.
    enum Operation: Int { case accept, adopt, connect, receive, send, lookUp }

    /// Runs until `isOver`, or until `limit`; returns whether it was over.
    func run(until limit: MonotonicTime, _ isOver: () -> Bool) -> Bool {
        while !isOver() {
            if turnOneLoop() { continue }
            guard let next = nextTime(), next <= limit else {
                now = max(now, limit)
                return isOver()
            }
            now = max(now, next)
            while let action = queue.pop(until: now) { action() }
        }
        return true
    }

    /// Gives a turn to one of the loops that have something to do.
    private func turnOneLoop() -> Bool {
        let ready = hosts.filter { $0.isRunning && $0.isDue(at: now) }
        guard !ready.isEmpty else { return false }
        let host = ready.count == 1 ? ready[0] : ready[dice.number(0...ready.count - 1)]
        host.loop?.tick()
        return true
    }

    private func nextTime() -> MonotonicTime? {
        var next = queue.first
        for host in hosts where host.isRunning {
            guard let due = host.nextTimer else { continue }
            if next.map({ due < $0 }) ?? true { next = due }
        }
        return next
    }
}

/// Future events, the soonest first; at the same time, in the order of the requests.
struct EventHeap {
    private struct Entry {
        var time: MonotonicTime
        var number: UInt64
        var action: () -> Void

        func isBefore(_ other: Entry) -> Bool {
            time == other.time ? number < other.number : time < other.time
        }
    }

    private var entries: [Entry] = []
    private var number: UInt64 = 0

    var first: MonotonicTime? { entries.first?.time }

    mutating func push(time: MonotonicTime, _ action: @escaping () -> Void) {
        number += 1
        entries.append(Entry(time: time, number: number, action: action))
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entries[child].isBefore(entries[parent]) else { return }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    mutating func pop(until now: MonotonicTime) -> (() -> Void)? {
        guard let first = entries.first, first.time <= now else { return nil }
        entries.swapAt(0, entries.count - 1)
        entries.removeLast()
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < entries.count else { break }
            if child + 1 < entries.count, entries[child + 1].isBefore(entries[child]) { child += 1 }
            guard entries[child].isBefore(entries[parent]) else { break }
            entries.swapAt(child, parent)
            parent = child
        }
        return first.action
    }
}
