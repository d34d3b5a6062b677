// Shares a line of a known rate between customers: which lane may write its next slab.
//
// Deficit round robin (Shreedhar and Varghese, 1995) over the flows that wait: each has its turn, and
// in it the bytes of one slab; small complete messages come before the other bodies of their flow, at
// most three before each slab of those, so that small mail without a pause keeps no large message out.
// A turn costs the same however many flows and lanes wait. Part of `ConnectionPool`, and only
// there when a rate is set; a value without pointers, time is an argument.

import Reactor

/// The turns on the line to the API.
struct SendLine {
    /// What a flow may send in one turn: at least the largest slab.
    private static let quantum = RequestBody.payloadEnd
    /// A line that was idle may be used at once for what it could have carried in this time.
    private static let burstNanoseconds: UInt64 = 50_000_000
    /// Small messages in a row that another body of their flow lets go first.
    private static let smallInARowMax = 3
    private static let none = -1

    private struct Row {
        var head = none
        var tail = none
    }

    private struct Flow {
        var small = Row()
        var other = Row()
        /// Bytes that it may still send in its turn.
        var deficit = 0
        /// Small messages that have gone before the first of `other`.
        var smallInARow = 0
        /// The flow whose turn is after it.
        var next = none
        var isWaiting = false
    }

    private struct Lane {
        var flow = none
        var bytes = 0
        var isSmall = false
        var previous = none
        var next = none
        var isWaiting = false
    }

    private let bytesPerSecond: UInt64
    /// When everything that was allowed so far has left.
    private var freeAt = MonotonicTime(nanoseconds: 0)
    private var flows: [Flow] = []
    private var lanes: [Lane] = []
    /// The flows that wait, in the order of their turns.
    private var turns = Row()
    /// The first flow of `turns` has been given its quantum.
    private var isTurnBegun = false
    /// Lanes that wait.
    private(set) var count = 0

    /// - Parameter bytesPerSecond: of request bodies; more than 0.
    init(bytesPerSecond: Int) { self.bytesPerSecond = UInt64(max(1, bytesPerSecond)) }

    /// When `next` has an answer; `.never` when nobody waits.
    var wakeTime: MonotonicTime { count > 0 ? freeAt : .never }

    /// The lane wants to write `bytes` of a body of `flow`, at most one slab.
    /// - Returns: whether it may now; else it waits until `next` names it, or it leaves.
    mutating func take(
        _ bytes: Int, for lane: LaneNumber, of flow: FlowNumber, isSmall: Bool,
        at now: MonotonicTime
    ) -> Bool {
        if count == 0 && freeAt <= now {
            charge(bytes, at: now)
            return true
        }
        let number = lane.value
        while lanes.count <= number { lanes.append(Lane()) }
        while flows.count <= flow.value { flows.append(Flow()) }
        guard !lanes[number].isWaiting else { return false }
        lanes[number] = Lane(
            flow: flow.value, bytes: bytes, isSmall: isSmall, isWaiting: true)
        count += 1
        if isSmall {
            SendLine.append(number, to: &flows[flow.value].small, &lanes)
        } else {
            SendLine.append(number, to: &flows[flow.value].other, &lanes)
        }
        if !flows[flow.value].isWaiting { addTurn(flow.value) }
        return false
    }

    /// The lane whose turn it is, if the line is free; what it asked for is allowed.
    mutating func next(at now: MonotonicTime) -> LaneNumber? {
        guard count > 0, freeAt <= now else { return nil }
        while true {
            let flow = turns.head
            if !isTurnBegun {
                flows[flow].deficit += SendLine.quantum
                isTurnBegun = true
            }
            let small = flows[flow].small.head
            let other = flows[flow].other.head
            let isSmallNext =
                small != SendLine.none
                && (other == SendLine.none || flows[flow].smallInARow < SendLine.smallInARowMax)
            let number = isSmallNext ? small : other
            if number == SendLine.none {
                // Its lanes have nothing more, or have left.
                endTurn(isOver: true)
            } else if lanes[number].bytes > flows[flow].deficit {
                endTurn(isOver: false)
            } else {
                flows[flow].deficit -= lanes[number].bytes
                let isPassedOver = isSmallNext && other != SendLine.none
                flows[flow].smallInARow = isPassedOver ? flows[flow].smallInARow + 1 : 0
                charge(lanes[number].bytes, at: now)
                // The turn goes on: the lane may ask for its next slab at once.
                remove(number)
                return LaneNumber(value: number)
            }
        }
    }

    /// The lane has nothing to write any more. Harmless when it does not wait.
    mutating func leave(_ lane: LaneNumber) {
        guard lane.value < lanes.count, lanes[lane.value].isWaiting else {
            return
        }
        remove(lane.value)
    }

    private mutating func charge(_ bytes: Int, at now: MonotonicTime) {
        let earliest = now.nanoseconds &- min(now.nanoseconds, SendLine.burstNanoseconds)
        let cost = UInt64(bytes) * 1_000_000_000 / bytesPerSecond
        freeAt = MonotonicTime(nanoseconds: max(freeAt.nanoseconds, earliest) &+ cost)
    }

    private mutating func addTurn(_ flow: Int) {
        flows[flow].isWaiting = true
        flows[flow].next = SendLine.none
        if turns.head == SendLine.none {
            turns.head = flow
        } else {
            flows[turns.tail].next = flow
        }
        turns.tail = flow
    }

    /// The turn of the first flow ends.
    /// - Parameter isOver: nothing of the flow waits any more.
    private mutating func endTurn(isOver: Bool) {
        let flow = turns.head
        turns.head = flows[flow].next
        if turns.head == SendLine.none { turns.tail = SendLine.none }
        isTurnBegun = false
        flows[flow].isWaiting = false
        if isOver { flows[flow].deficit = 0 } else { addTurn(flow) }
    }

    private static func append(
        _ number: Int, to row: inout Row, _ lanes: inout [Lane]
    ) {
        lanes[number].previous = row.tail
        if row.tail == none {
            row.head = number
        } else {
            lanes[row.tail].next = number
        }
        row.tail = number
    }

    private mutating func remove(_ number: Int) {
        let lane = lanes[number]
        var row = lane.isSmall ? flows[lane.flow].small : flows[lane.flow].other
        if lane.previous == SendLine.none {
            row.head = lane.next
        } else {
            lanes[lane.previous].next = lane.next
        }
        if lane.next == SendLine.none {
            row.tail = lane.previous
        } else {
            lanes[lane.next].previous = lane.previous
        }
        if lane.isSmall {
            flows[lane.flow].small = row
        } else {
            flows[lane.flow].other = row
        }
        lanes[number].isWaiting = false
        count -= 1
    }
}
