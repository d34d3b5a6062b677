// The calls that wait for a connection, in order, each with a deadline. A value without pointers.
//
// A doubly linked list through the slots of an array: a call leaves in O(1) wherever it stands (its
// client may have gone), and nothing is allocated once the array has grown.

import Reactor

/// A first-in, first-out queue of numbered calls.
struct CallQueue {
    private struct Node {
        var previous: Int
        var next: Int
        var deadline: MonotonicTime
        var isQueued: Bool
    }

    private static let none = -1

    private var nodes: [Node] = []
    private var freeHead = none
    private var head = none
    private var tail = none
    /// Not later than the earliest deadline in the queue. Exact after `popExpired` found nothing.
    private(set) var earliestDeadline = MonotonicTime.never

    /// Calls that wait.
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// The number of the call that is next.
    var first: CallNumber? { head == CallQueue.none ? nil : CallNumber(value: head) }

    /// Puts a new call last, or first when it waited before.
    /// - Returns: its number, which is used again after the call has left.
    mutating func add(deadline: MonotonicTime, isFirst: Bool) -> CallNumber {
        let number = takeNode(deadline: deadline)
        if isFirst {
            nodes[number].next = head
            if head != CallQueue.none { nodes[head].previous = number } else { tail = number }
            head = number
        } else {
            nodes[number].previous = tail
            if tail != CallQueue.none { nodes[tail].next = number } else { head = number }
            tail = number
        }
        count += 1
        earliestDeadline = min(earliestDeadline, deadline)
        return CallNumber(value: number)
    }

    /// Takes the call out of the queue, wherever it stands.
    mutating func remove(_ call: CallNumber) {
        let number = call.value
        precondition(nodes[number].isQueued, "a call leaves the queue once")
        let node = nodes[number]
        if node.previous != CallQueue.none { nodes[node.previous].next = node.next }
        if node.next != CallQueue.none { nodes[node.next].previous = node.previous }
        if head == number { head = node.next }
        if tail == number { tail = node.previous }
        nodes[number].isQueued = false
        nodes[number].next = freeHead
        freeHead = number
        count -= 1
        if count == 0 { earliestDeadline = .never }
    }

    /// Changes the time by which the call must have left.
    mutating func setDeadline(_ deadline: MonotonicTime, of call: CallNumber) {
        precondition(nodes[call.value].isQueued)
        nodes[call.value].deadline = deadline
        earliestDeadline = min(earliestDeadline, deadline)
    }

    /// Removes and returns a call whose deadline has passed at `now`. Linear in the queue, and only
    /// when a deadline may have passed.
    mutating func popExpired(at now: MonotonicTime) -> CallNumber? {
        guard count > 0, earliestDeadline <= now else { return nil }
        var earliest = MonotonicTime.never
        var cursor = head
        while cursor != CallQueue.none {
            if nodes[cursor].deadline <= now {
                let call = CallNumber(value: cursor)
                remove(call)
                return call
            }
            earliest = min(earliest, nodes[cursor].deadline)
            cursor = nodes[cursor].next
        }
        earliestDeadline = earliest
        return nil
    }

    private mutating func takeNode(deadline: MonotonicTime) -> Int {
        let node = Node(
            previous: CallQueue.none, next: CallQueue.none, deadline: deadline, isQueued: true)
        guard freeHead != CallQueue.none else {
            nodes.append(node)
            return nodes.count - 1
        }
        let number = freeHead
        freeHead = nodes[number].next
        nodes[number] = node
        return number
    }
}
