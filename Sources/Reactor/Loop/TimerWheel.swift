// A hashed timer wheel: 4,096 buckets of 10 ms, doubly linked lists of slot numbers in them
// (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987, scheme 6).
//
// It knows when a slot should be looked at, not what the slot's deadline is. A deadline that moves
// later costs nothing: the slot comes up at the old time and its owner arms it again. For the same
// reason a deadline that is more than one turn (41 s) away comes up once per turn. Everything is
// O(1).

/// Which slots are due at a time.
struct TimerWheel: ~Copyable {
    /// The resolution.
    static let tickNanoseconds: UInt64 = 10_000_000
    private static let bucketCount = 4_096
    private static let none: Int32 = -1

    private struct Node {
        var previous: Int32
        var next: Int32
        /// The tick in whose bucket the node is linked; 0 when it is not.
        var tick: UInt64
    }

    private let heads: UnsafeMutablePointer<Int32>
    /// One bit for each bucket that is not empty, and one in `summary` for each word with a bit.
    private let occupied: UnsafeMutablePointer<UInt64>
    private var summary: UInt64 = 0
    private var nodes: UnsafeMutablePointer<Node>
    private var nodeCapacity = 64
    /// The last tick whose bucket has been, or is being, emptied.
    private var cursor: UInt64
    /// Slots that are armed.
    private(set) var count = 0

    init(now: MonotonicTime) {
        cursor = now.nanoseconds / TimerWheel.tickNanoseconds
        heads = .allocate(capacity: TimerWheel.bucketCount)
        heads.initialize(repeating: TimerWheel.none, count: TimerWheel.bucketCount)
        occupied = .allocate(capacity: 64)
        occupied.initialize(repeating: 0, count: 64)
        nodes = .allocate(capacity: nodeCapacity)
        nodes.initialize(repeating: TimerWheel.idle, count: nodeCapacity)
    }

    deinit {
        heads.deallocate()
        occupied.deallocate()
        nodes.deallocate()
    }

    private static var idle: Node { Node(previous: none, next: none, tick: 0) }

    /// Makes `slot` come up at `deadline` at the latest (rounded up to the next tick, at most one
    /// turn away). Costs a comparison when it comes up earlier anyway.
    mutating func arm(_ slot: Int, at deadline: MonotonicTime) {
        if slot >= nodeCapacity { grow(to: max(nodeCapacity * 2, slot + 1)) }
        let (whole, rest) = deadline.nanoseconds.quotientAndRemainder(
            dividingBy: TimerWheel.tickNanoseconds)
        let exact = rest == 0 ? whole : whole + 1
        let tick = min(max(exact, cursor + 1), cursor + UInt64(TimerWheel.bucketCount) - 1)
        let linked = nodes[slot].tick
        if linked != 0 {
            if linked <= tick { return }
            unlink(slot)
        }
        link(slot, tick)
    }

    /// Makes `slot` not come up any more.
    mutating func disarm(_ slot: Int) {
        guard slot < nodeCapacity, nodes[slot].tick != 0 else { return }
        unlink(slot)
    }

    /// A slot whose time has come by `now`, unlinked; nil when there is none left. To be called
    /// until nil; slots armed in between come up at a later tick.
    mutating func popDue(_ now: MonotonicTime) -> Int? {
        let target = now.nanoseconds / TimerWheel.tickNanoseconds
        while true {
            let head = heads[bucket(cursor)]
            if head != TimerWheel.none {
                unlink(Int(head))
                return Int(head)
            }
            guard cursor < target else { return nil }
            cursor = min(nextOccupiedTick ?? target, target)
        }
    }

    /// When the next slot comes up; nil when none is armed.
    var nextDue: MonotonicTime? {
        if heads[bucket(cursor)] != TimerWheel.none {
            return MonotonicTime(nanoseconds: cursor * TimerWheel.tickNanoseconds)
        }
        return nextOccupiedTick.map {
            MonotonicTime(nanoseconds: $0 * TimerWheel.tickNanoseconds)
        }
    }

    /// The first tick after the cursor whose bucket is not empty.
    private var nextOccupiedTick: UInt64? {
        guard summary != 0 else { return nil }
        let start = bucket(cursor + 1)
        let word = start >> 6
        let rest = occupied[word] & (~0 << UInt64(start & 63))
        if rest != 0 { return tick(ofBucket: word << 6 + rest.trailingZeroBitCount) }
        // The words after the first, around the wheel, and at last the first word's other bits.
        let turn = UInt64((word + 1) & 63)
        let turned = summary >> turn | (turn == 0 ? 0 : summary << (64 - turn))
        let found = (turned.trailingZeroBitCount + Int(turn)) & 63
        return tick(ofBucket: found << 6 + occupied[found].trailingZeroBitCount)
    }

    private func bucket(_ tick: UInt64) -> Int { Int(tick & UInt64(TimerWheel.bucketCount - 1)) }

    private func tick(ofBucket index: Int) -> UInt64 {
        cursor + UInt64((index - bucket(cursor)) & (TimerWheel.bucketCount - 1))
    }

    private mutating func link(_ slot: Int, _ tick: UInt64) {
        count += 1
        let index = bucket(tick)
        let head = heads[index]
        nodes[slot] = Node(previous: TimerWheel.none, next: head, tick: tick)
        if head != TimerWheel.none { nodes[Int(head)].previous = Int32(slot) }
        heads[index] = Int32(slot)
        occupied[index >> 6] |= 1 << UInt64(index & 63)
        summary |= 1 << UInt64(index >> 6)
    }

    private mutating func unlink(_ slot: Int) {
        count -= 1
        let node = nodes[slot]
        if node.next != TimerWheel.none { nodes[Int(node.next)].previous = node.previous }
        if node.previous != TimerWheel.none {
            nodes[Int(node.previous)].next = node.next
        } else {
            let index = bucket(node.tick)
            heads[index] = node.next
            if node.next == TimerWheel.none { clear(index) }
        }
        nodes[slot] = TimerWheel.idle
    }

    private mutating func clear(_ index: Int) {
        occupied[index >> 6] &= ~(1 << UInt64(index & 63))
        if occupied[index >> 6] == 0 { summary &= ~(1 << UInt64(index >> 6)) }
    }

    private mutating func grow(to newCapacity: Int) {
        let larger = UnsafeMutablePointer<Node>.allocate(capacity: newCapacity)
        larger.initialize(from: nodes, count: nodeCapacity)
        (larger + nodeCapacity).initialize(
            repeating: TimerWheel.idle, count: newCapacity - nodeCapacity)
        nodes.deallocate()
        nodes = larger
        nodeCapacity = newCapacity
    }
}
