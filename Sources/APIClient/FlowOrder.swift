// Flows in the order of a number that each of them has, its level: who holds least, who waits with
// most. Equals stand in the order in which they came to their level, so that they take turns.
//
// A doubly linked list per level, through slots of one array, and a bit per level that has flows.
// Nothing depends on the number of flows, and nothing is allocated once the arrays have grown. A
// value without pointers.

/// Some flows, ordered by level.
struct FlowOrder {
    private struct Link {
        var previous = none
        var next = none
        /// `none`: the flow is not in the order.
        var level = none
    }

    private struct Row {
        var head = none
        var tail = none
    }

    private static let none = -1

    /// By flow.
    private var links: [Link] = []
    /// By level.
    private var rows: [Row] = []
    /// A bit per level: its row has flows.
    private var filled: [UInt64] = []
    /// Flows in the order.
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// Adds a flow that is not in the order, after its equals.
    mutating func insert(_ flow: Int, level: Int) {
        while links.count <= flow { links.append(Link()) }
        while rows.count <= level { rows.append(Row()) }
        while filled.count <= level >> 6 { filled.append(0) }
        let tail = rows[level].tail
        links[flow] = Link(previous: tail, next: FlowOrder.none, level: level)
        if tail == FlowOrder.none {
            rows[level].head = flow
            filled[level >> 6] |= 1 << UInt64(level & 63)
        } else {
            links[tail].next = flow
        }
        rows[level].tail = flow
        count += 1
    }

    /// Takes a flow out that is in the order.
    mutating func remove(_ flow: Int) {
        let link = links[flow]
        precondition(link.level != FlowOrder.none, "a flow leaves the order once")
        if link.previous == FlowOrder.none {
            rows[link.level].head = link.next
        } else {
            links[link.previous].next = link.next
        }
        if link.next == FlowOrder.none {
            rows[link.level].tail = link.previous
        } else {
            links[link.next].previous = link.previous
        }
        if rows[link.level].head == FlowOrder.none {
            filled[link.level >> 6] &= ~(1 << UInt64(link.level & 63))
        }
        links[flow].level = FlowOrder.none
        count -= 1
    }

    /// Puts a flow of the order on another level, after its equals there.
    mutating func move(_ flow: Int, to level: Int) {
        remove(flow)
        insert(flow, level: level)
    }

    /// The first flow of the lowest level.
    var lowest: Int? {
        guard count > 0 else { return nil }
        return firstRow(from: 0).map { rows[$0].head }
    }

    /// The first flow of the highest level.
    var highest: Int? {
        guard count > 0 else { return nil }
        for word in filled.indices.reversed() where filled[word] != 0 {
            return rows[word << 6 + 63 - filled[word].leadingZeroBitCount].head
        }
        return nil
    }

    /// The flow that comes after `flow`, with the lowest level first.
    func flow(after flow: Int) -> Int? {
        let link = links[flow]
        if link.next != FlowOrder.none { return link.next }
        return firstRow(from: link.level + 1).map { rows[$0].head }
    }

    /// The first level from `level` on that has flows.
    private func firstRow(from level: Int) -> Int? {
        var word = level >> 6
        guard word < filled.count else { return nil }
        var bits = filled[word] & (.max << UInt64(level & 63))
        while bits == 0 {
            word += 1
            guard word < filled.count else { return nil }
            bits = filled[word]
        }
        return word << 6 + bits.trailingZeroBitCount
    }
}
