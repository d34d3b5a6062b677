// The calls that the connections of one pool carry, by number.
//
// Part of `PoolMachine`. A call has a lane from its assignment until it ends: over HTTP/1.1 it is the
// only one of its connection, over HTTP/2 each stream in use is one. So a connection costs nothing for
// streams that it does not use. A value without pointers; nothing is allocated once the array has
// grown.

import Reactor

/// A table of numbered lanes. Numbers are used again.
struct LaneTable {
    /// What a lane carries.
    enum Load: Equatable {
        /// Nothing: the number is free.
        case nothing
        case check
        /// A message of which nothing has to arrive any more.
        case message(FlowNumber)
        /// A message that still arrives.
        case upload(FlowNumber)
    }

    private struct Entry {
        var connection: ConnectionNumber
        var load: Load
        /// When its call was assigned.
        var since: MonotonicTime
        /// The free number after this one.
        var nextFree = none
    }

    private static let none = -1

    private var entries: [Entry] = []
    private var freeHead = none

    /// The connection that carries the call of a lane in use.
    func connection(of lane: LaneNumber) -> ConnectionNumber { entries[lane.value].connection }

    func load(of lane: LaneNumber) -> Load { entries[lane.value].load }

    /// A lane for a call that the connection carries from now on.
    mutating func take(
        _ load: Load, on connection: ConnectionNumber, at now: MonotonicTime
    ) -> LaneNumber {
        guard freeHead != LaneTable.none else {
            entries.append(Entry(connection: connection, load: load, since: now))
            return LaneNumber(value: entries.count - 1)
        }
        let number = freeHead
        freeHead = entries[number].nextFree
        entries[number] = Entry(connection: connection, load: load, since: now)
        return LaneNumber(value: number)
    }

    /// The message of the lane has arrived whole.
    /// - Returns: whose it is; nil when nothing had to arrive of it.
    mutating func arrived(_ lane: LaneNumber) -> FlowNumber? {
        guard case .upload(let flow) = entries[lane.value].load else { return nil }
        entries[lane.value].load = .message(flow)
        return flow
    }

    /// The call of the lane has ended: its number is free.
    /// - Returns: what it carried.
    mutating func end(_ lane: LaneNumber) -> Load {
        let load = entries[lane.value].load
        precondition(load != .nothing, "a lane ends once")
        entries[lane.value].load = .nothing
        entries[lane.value].nextFree = freeHead
        freeHead = lane.value
        return load
    }

    /// The lane whose upload began last, of the flow that weighs most. Looks at all.
    func latestUpload(weighing weight: (FlowNumber) -> Int) -> LaneNumber? {
        var best: (weight: Int, since: MonotonicTime, number: Int)?
        for (number, entry) in entries.enumerated() {
            guard case .upload(let flow) = entry.load else { continue }
            let weight = weight(flow)
            if let best, (best.weight, best.since) >= (weight, entry.since) { continue }
            best = (weight, entry.since, number)
        }
        return best.map { LaneNumber(value: $0.number) }
    }
}
