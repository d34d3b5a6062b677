// The calls that wait for a connection, shared by flow, each with a deadline. A value without
// pointers, part of `PoolMachine`.
//
// Checks of keys wait in one line. Messages wait in lines of their flow: complete ones, uploads whose
// client is fast, and other uploads, because each kind may take a connection at other times. The flow
// that holds fewest connections is next; equals take turns. All lines are linked through one array, so
// a call leaves in O(1) wherever it stands, and nothing is allocated once the arrays have grown.

import Reactor

/// The numbered calls that wait, and what each flow holds.
struct CallQueue {
    /// What a call is to the queue.
    enum Kind: Int {
        /// The check of a key: before all messages, in the order in which they come.
        case check
        /// A message of which nothing has to arrive any more.
        case complete
        /// A message that still arrives, from a client that is fast.
        case fastUpload
        case slowUpload

        var isUpload: Bool { self == .fastUpload || self == .slowUpload }
    }

    /// What one flow has.
    struct Flow {
        /// Calls that wait.
        fileprivate(set) var waiting = 0
        /// Connections that carry its messages.
        fileprivate(set) var held = 0
        /// Those of `held` whose message still arrives.
        fileprivate(set) var uploads = 0
        /// When a fault of its calls was counted last.
        fileprivate(set) var faultTime = MonotonicTime.never
        fileprivate var lines = Lines()

        var holdings: FlowHoldings {
            FlowHoldings(connections: held, uploads: uploads, waiting: waiting)
        }
    }

    /// The lines of one flow.
    fileprivate struct Lines {
        var complete = Line()
        var fast = Line()
        var slow = Line()
    }

    fileprivate struct Line {
        var head = none
        var tail = none
    }

    private struct Node {
        var previous: Int
        var next: Int
        var deadline: MonotonicTime
        /// `none` for the check of a key.
        var flow: Int
        var kind: Kind
        var isQueued: Bool
        /// Calls that came later have a higher number; 0: the call had its turn before.
        var age: Int
        /// When it came.
        var since: MonotonicTime
    }

    private static let none = -1

    private var nodes: [Node] = []
    private var freeHead = none
    private var checks = Line()
    /// A complete message that came when nobody waited stands here and in no line until another call
    /// comes: most find an idle connection at once, and need no order.
    private var lone = none
    private var flows: [Flow] = []
    /// When a fault of a check was counted last.
    private var checkFaultTime = MonotonicTime.never
    private var freeFlows: [Int] = []
    /// Flows with calls of a kind that wait, by the connections that they hold.
    private var complete = FlowOrder()
    private var fast = FlowOrder()
    private var slow = FlowOrder()
    /// Flows with two calls or more that wait, by how many.
    private var crowds = FlowOrder()
    private var lastAge = 0
    /// Not later than the earliest deadline in the queue. Exact after `popExpired` found nothing.
    private(set) var earliestDeadline = MonotonicTime.never
    /// Where `popExpired` goes on, and the earliest deadline before that place.
    private var scanStart = 0
    private var scanEarliest = MonotonicTime.never

    /// Calls that wait.
    private(set) var count = 0
    /// Those of them that are checks of keys, complete messages, and uploads.
    private(set) var checkCount = 0
    private(set) var completeCount = 0
    var uploadCount: Int { count - checkCount - completeCount }

    var isEmpty: Bool { count == 0 }
}

// MARK: - Flows

extension CallQueue {
    /// What the flow has now.
    func flow(_ flow: FlowNumber) -> Flow { flows[flow.value] }

    mutating func addFlow() -> FlowNumber {
        if let flow = freeFlows.popLast() { return FlowNumber(value: flow) }
        flows.append(Flow())
        return FlowNumber(value: flows.count - 1)
    }

    /// The flow has no calls, neither waiting nor on connections.
    mutating func removeFlow(_ flow: FlowNumber) {
        let flow = flow.value
        precondition(flows[flow].waiting == 0 && flows[flow].held == 0)
        flows[flow] = Flow()
        freeFlows.append(flow)
    }

    /// A call of the flow has been given a connection.
    mutating func took(_ flow: FlowNumber, isUpload: Bool) {
        flows[flow.value].held += 1
        if isUpload { flows[flow.value].uploads += 1 }
        order(flow.value)
    }

    /// A call of the flow has left its connection.
    mutating func gaveBack(_ flow: FlowNumber, isUpload: Bool) {
        flows[flow.value].held -= 1
        if isUpload { flows[flow.value].uploads -= 1 }
        order(flow.value)
    }

    /// An upload of the flow that holds a connection has arrived.
    mutating func uploadArrived(_ flow: FlowNumber) { flows[flow.value].uploads -= 1 }

    /// - Parameter flow: nil for the checks of keys.
    /// - Returns: whether no fault of the flow was counted at this time before.
    mutating func noteFault(_ flow: FlowNumber?, at now: MonotonicTime) -> Bool {
        guard let flow else {
            defer { checkFaultTime = now }
            return checkFaultTime != now
        }
        guard flows[flow.value].faultTime != now else { return false }
        flows[flow.value].faultTime = now
        return true
    }

    /// Moves a flow whose connections have changed to its place among those that wait.
    private mutating func order(_ flow: Int) {
        guard flows[flow].waiting > 0 else { return }
        let held = flows[flow].held
        if flows[flow].lines.complete.head != CallQueue.none { complete.move(flow, to: held) }
        if flows[flow].lines.fast.head != CallQueue.none { fast.move(flow, to: held) }
        if flows[flow].lines.slow.head != CallQueue.none { slow.move(flow, to: held) }
    }
}

// MARK: - Calls come and go

extension CallQueue {
    /// Puts a call last in its line, or first when it had its turn before.
    /// - Parameter flow: nil for the check of a key.
    /// - Returns: its number, which is used again after the call has left.
    mutating func add(
        _ kind: Kind, of flow: FlowNumber?, deadline: MonotonicTime, isFirst: Bool,
        at now: MonotonicTime
    ) -> CallNumber {
        if lone != CallQueue.none { lineUp() }
        lastAge += 1
        let number = takeNode(
            Node(
                previous: CallQueue.none, next: CallQueue.none, deadline: deadline,
                flow: flow?.value ?? CallQueue.none, kind: kind, isQueued: true,
                age: isFirst ? 0 : lastAge, since: now))
        if let flow, kind == .complete, count == 0 {
            lone = number
            flows[flow.value].waiting = 1
            completeCount = 1
        } else {
            link(number, isFirst: isFirst)
            if let flow { waitingChanged(flow.value, by: 1) }
        }
        count += 1
        note(deadline)
        return CallNumber(value: number)
    }

    /// The message that came first is not alone any more.
    private mutating func lineUp() {
        completeCount = 0
        link(lone, isFirst: false)
        lone = CallQueue.none
    }

    /// Takes the call out of the queue, wherever it stands.
    mutating func remove(_ call: CallNumber) {
        let number = call.value
        precondition(nodes[number].isQueued, "a call leaves the queue once")
        let flow = nodes[number].flow
        if number == lone {
            lone = CallQueue.none
            flows[flow].waiting = 0
            completeCount = 0
        } else {
            unlink(number)
            if flow != CallQueue.none { waitingChanged(flow, by: -1) }
        }
        nodes[number].isQueued = false
        nodes[number].next = freeHead
        freeHead = number
        count -= 1
        guard count == 0 else { return }
        earliestDeadline = .never
        scanStart = 0
        scanEarliest = .never
    }

    /// Changes the time by which the call must have left.
    mutating func setDeadline(_ deadline: MonotonicTime, of call: CallNumber) {
        precondition(nodes[call.value].isQueued)
        nodes[call.value].deadline = deadline
        note(deadline)
    }

    /// Nothing has to arrive of the upload any more: it goes to the end of the complete ones.
    /// Harmless when it is complete already.
    mutating func arrived(_ call: CallNumber) {
        let number = call.value
        precondition(nodes[number].isQueued)
        guard nodes[number].kind.isUpload else { return }
        unlink(number)
        nodes[number].kind = .complete
        link(number, isFirst: false)
    }

    func kind(of call: CallNumber) -> Kind { nodes[call.value].kind }

    /// nil for the check of a key.
    func flow(of call: CallNumber) -> FlowNumber? {
        let flow = nodes[call.value].flow
        return flow == CallQueue.none ? nil : FlowNumber(value: flow)
    }

    /// Removes and returns a call whose deadline has passed at `now`. Linear in the queue, and only
    /// when one has passed; each call is looked at once however many have.
    mutating func popExpired(at now: MonotonicTime) -> CallNumber? {
        guard count > 0, earliestDeadline <= now else { return nil }
        while scanStart < nodes.count {
            let node = nodes[scanStart]
            if node.isQueued {
                if node.deadline <= now {
                    let call = CallNumber(value: scanStart)
                    remove(call)
                    return call
                }
                scanEarliest = min(scanEarliest, node.deadline)
            }
            scanStart += 1
        }
        earliestDeadline = scanEarliest
        scanStart = 0
        scanEarliest = .never
        return nil
    }

    /// A deadline is new in the queue, wherever the scan is.
    private mutating func note(_ deadline: MonotonicTime) {
        earliestDeadline = min(earliestDeadline, deadline)
        if scanStart > 0 { scanEarliest = min(scanEarliest, deadline) }
    }

    private mutating func takeNode(_ node: Node) -> Int {
        guard freeHead != CallQueue.none else {
            nodes.append(node)
            return nodes.count - 1
        }
        let number = freeHead
        freeHead = nodes[number].next
        nodes[number] = node
        return number
    }

    private mutating func waitingChanged(_ flow: Int, by change: Int) {
        let before = flows[flow].waiting
        let after = before + change
        flows[flow].waiting = after
        if before > 1 { crowds.remove(flow) }
        if after > 1 { crowds.insert(flow, level: after) }
    }
}

// MARK: - Lines

extension CallQueue {
    /// Puts the call into the line of its kind.
    private mutating func link(_ number: Int, isFirst: Bool) {
        let flow = nodes[number].flow
        switch nodes[number].kind {
        case .check:
            checkCount += 1
            CallQueue.put(number, into: &checks, &nodes, isFirst: isFirst)
        case .complete:
            completeCount += 1
            CallQueue.put(number, into: &flows[flow].lines.complete, &nodes, isFirst: isFirst)
            if CallQueue.isAlone(number, nodes) { complete.insert(flow, level: flows[flow].held) }
        case .fastUpload:
            CallQueue.put(number, into: &flows[flow].lines.fast, &nodes, isFirst: isFirst)
            if CallQueue.isAlone(number, nodes) { fast.insert(flow, level: flows[flow].held) }
        case .slowUpload:
            CallQueue.put(number, into: &flows[flow].lines.slow, &nodes, isFirst: isFirst)
            if CallQueue.isAlone(number, nodes) { slow.insert(flow, level: flows[flow].held) }
        }
    }

    private mutating func unlink(_ number: Int) {
        let flow = nodes[number].flow
        let isAlone = CallQueue.isAlone(number, nodes)
        switch nodes[number].kind {
        case .check:
            checkCount -= 1
            CallQueue.take(number, outOf: &checks, &nodes)
        case .complete:
            completeCount -= 1
            CallQueue.take(number, outOf: &flows[flow].lines.complete, &nodes)
            if isAlone { complete.remove(flow) }
        case .fastUpload:
            CallQueue.take(number, outOf: &flows[flow].lines.fast, &nodes)
            if isAlone { fast.remove(flow) }
        case .slowUpload:
            CallQueue.take(number, outOf: &flows[flow].lines.slow, &nodes)
            if isAlone { slow.remove(flow) }
        }
    }

    /// Whether the call is the only one of its line.
    private static func isAlone(_ number: Int, _ nodes: [Node]) -> Bool {
        nodes[number].previous == none && nodes[number].next == none
    }

    private static func put(
        _ number: Int, into line: inout Line, _ nodes: inout [Node], isFirst: Bool
    ) {
        if line.head == none {
            line = Line(head: number, tail: number)
            nodes[number].previous = none
            nodes[number].next = none
        } else if isFirst {
            nodes[number].previous = none
            nodes[number].next = line.head
            nodes[line.head].previous = number
            line.head = number
        } else {
            nodes[number].previous = line.tail
            nodes[number].next = none
            nodes[line.tail].next = number
            line.tail = number
        }
    }

    private static func take(_ number: Int, outOf line: inout Line, _ nodes: inout [Node]) {
        let (previous, next) = (nodes[number].previous, nodes[number].next)
        if previous == none { line.head = next } else { nodes[previous].next = next }
        if next == none { line.tail = previous } else { nodes[next].previous = previous }
    }
}

// MARK: - Who is next

extension CallQueue {
    /// The check of a key that has waited longest.
    var firstCheck: CallNumber? {
        checks.head == CallQueue.none ? nil : CallNumber(value: checks.head)
    }

    /// The message that may take the next connection: of the flow that holds least. A slow upload
    /// lets complete calls and checks of keys go first, but not for ever: otherwise one customer
    /// whose messages never end would keep all others' large messages out.
    /// - Parameters:
    ///   - uploadsFree: how many more uploads may hold a connection. A flow may have one more if it
    ///     has fewer than that.
    ///   - lateSince: slow uploads that have waited since this time have their turn like others.
    func firstMessage(uploadsFree: Int, lateSince: MonotonicTime) -> CallNumber? {
        if lone != CallQueue.none { return CallNumber(value: lone) }
        var best = CallQueue.none
        if let flow = complete.lowest { best = flows[flow].lines.complete.head }
        if uploadsFree > 0 {
            if !fast.isEmpty, let flow = first(of: fast, uploadsFree: uploadsFree) {
                let head = flows[flow].lines.fast.head
                if best == CallQueue.none || comesBefore(head, best) { best = head }
            }
            if !slow.isEmpty, let flow = first(of: slow, uploadsFree: uploadsFree) {
                let head = flows[flow].lines.slow.head
                let isLate = nodes[head].since <= lateSince
                let mayGo = isLate || completeCount + checkCount == 0
                if mayGo && (best == CallQueue.none || isLate && comesBefore(head, best)) {
                    best = head
                }
            }
        }
        return best == CallQueue.none ? nil : CallNumber(value: best)
    }

    private func comesBefore(_ number: Int, _ other: Int) -> Bool {
        let held = flows[nodes[number].flow].held
        let otherHeld = flows[nodes[other].flow].held
        return held < otherHeld || held == otherHeld && nodes[number].age < nodes[other].age
    }

    /// The first flow that may have one more upload. Those that are passed over hold at least one
    /// connection each.
    private func first(of order: FlowOrder, uploadsFree: Int) -> Int? {
        var next = order.lowest
        while let flow = next {
            if flows[flow].uploads < uploadsFree { return flow }
            next = order.flow(after: flow)
        }
        return nil
    }

    /// How many waiting messages could take a connection if there were any number of them.
    /// - Parameter countMax: the answer is not needed beyond this.
    func takers(uploadsFree: Int, upTo countMax: Int) -> Int {
        var taken = completeCount
        var left = uploadsFree
        add(fast, isFast: true, to: &taken, &left, upTo: countMax)
        if completeCount + checkCount == 0 {
            add(slow, isFast: false, to: &taken, &left, upTo: countMax)
        }
        return min(taken, countMax)
    }

    /// Adds the uploads of one order, as if each got a connection.
    private func add(
        _ order: FlowOrder, isFast: Bool, to taken: inout Int, _ left: inout Int,
        upTo countMax: Int
    ) {
        var next = order.lowest
        while taken < countMax, left > 0, let flow = next {
            var uploads = flows[flow].uploads
            var number = isFast ? flows[flow].lines.fast.head : flows[flow].lines.slow.head
            while taken < countMax, number != CallQueue.none, uploads < left {
                uploads += 1
                left -= 1
                taken += 1
                number = nodes[number].next
            }
            next = order.flow(after: flow)
        }
    }

    /// Any call that waits: for when there is no address to give it.
    var any: CallNumber? {
        if lone != CallQueue.none { return CallNumber(value: lone) }
        if let check = firstCheck { return check }
        if let flow = complete.lowest { return CallNumber(value: flows[flow].lines.complete.head) }
        if let flow = fast.lowest { return CallNumber(value: flows[flow].lines.fast.head) }
        if let flow = slow.lowest { return CallNumber(value: flows[flow].lines.slow.head) }
        return nil
    }

    /// The call that gives up its place for one more of `flow`: the newest of the flow that has most
    /// calls waiting. nil when the exchange would only turn the two round.
    func loser(to flow: FlowNumber) -> CallNumber? {
        guard let crowd = crowds.highest, flows[crowd].waiting > flows[flow.value].waiting + 1
        else {
            return nil
        }
        let lines = flows[crowd].lines
        let newest = newer(lines.complete.tail, newer(lines.fast.tail, lines.slow.tail))
        return CallNumber(value: newest)
    }

    /// The call that came later; either may be none.
    private func newer(_ number: Int, _ other: Int) -> Int {
        if number == CallQueue.none { return other }
        if other == CallQueue.none { return number }
        return nodes[number].age > nodes[other].age ? number : other
    }
}
