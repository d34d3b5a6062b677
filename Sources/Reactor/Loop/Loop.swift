// One event loop on one thread. It shares nothing with the others; `Mailbox` is the only door.
//
// A tick: wait, complete, posted work, timers, handshakes; then the slots that were released become free. After
// each event the loop settles the streams that the event touched: what was written leaves in as few
// records and system calls as possible, and handlers hear then, never inside the call, what became
// due because of calls on their streams.

import CEpoll.System
import Glibc

/// One event loop on one thread. Everything that it made belongs to it and to that thread.
public final class Loop {
    /// Which of the group's loops this is, from 0.
    public let index: Int
    /// The time of this tick.
    public private(set) var now: MonotonicTime
    /// The slabs of this loop.
    public let slabs = SlabPool()
    /// The only door for other threads.
    public let mailbox: Mailbox
    /// What has happened so far; to be read on the loop's thread.
    public private(set) var counters = LoopCounters()

    let backend: any Backend
    package private(set) var slots = SlotTable()
    private(set) var wheel: TimerWheel
    /// Replaces the handlers of streams that have ended, so that no reference cycle remains.
    let inertHandler = StreamHandler()
    /// The place where the loop's TLS engines read and write bytes; made when the first one needs
    /// it.
    package private(set) lazy var tlsPort = TLSPort()

    /// Streams to settle when the current event is over, and those left for the next tick.
    private var unsettled = WorkList<Stream>()
    private var unsettledNextTick = WorkList<Stream>()
    /// Connections whose ClientHello waits to be answered.
    private var handshakes = HandshakeLine()
    /// Completions of this tick.
    private var completionCount = 0
    private var laterWork = WorkList<LaterWork>()
    /// The work that runs now; what it adds runs in the next turn. The two lists change places.
    private var laterBatch = WorkList<LaterWork>()
    private var endWork: [LaterWork] = []
    private var isStopping = false
    /// Why the loop has ended by itself: the kernel refuses the backend. Nil while it works.
    public private(set) var failure: SystemError?
    /// Errors of the backend that are counted.
    private var backendErrorCount = 0

    /// - Throws: `SystemError` when the kernel refuses the backend or an eventfd.
    public convenience init(index: Int, backend: BackendKind) throws(SystemError) {
        try self.init(index: index, custom: try backend.makeBackend())
    }

    /// A loop over a backend of the caller, such as a simulated network.
    public init(index: Int, custom backend: any Backend) throws(SystemError) {
        self.index = index
        self.backend = backend
        mailbox = try Mailbox()
        now = backend.readClock()
        wheel = TimerWheel(now: now)
        try backend.watch(wakeUp: mailbox.wakeUpDescriptor)
    }

    /// Runs ticks on the calling thread until `stop()`, or until the backend has failed (`failure`);
    /// closes what is left.
    public func run() {
        now = backend.readClock()
        while !isStopping, !mailbox.isStopPosted { tick() }
        closeEverything()
    }

    /// Seconds since 1970, for dates that a peer sends; `now` is for everything else.
    public func readWallClock() -> Int64 { backend.readWallClock() }

    /// Ends `run` after this tick. From the loop's own thread.
    public func stop() { isStopping = true }

    /// Runs `work` at the end of this tick, after the events; work that it adds runs in the next
    /// tick. From the loop's own thread.
    public func later(_ work: @escaping () -> Void) {
        laterWork.append(LaterWork(run: work))
    }

    /// Runs `work` once, after `run` has closed everything: the time to release objects that waited
    /// for an event that will not come, and reference cycles. From the loop's own thread.
    public func whenEnded(_ work: @escaping () -> Void) {
        endWork.append(LaterWork(run: work))
    }

    /// One turn, which waits until there is something to do. `run` consists of turns only.
    public func tick() {
        wait()
        complete()
        runPostedWork()
        fireTimers()
        answerHandshakes()
        slots.recycle()
    }

    private func wait() {
        let workEnd = backend.readClock()
        counters.worked(nanoseconds: workEnd.nanoseconds(since: now))
        backend.wait(milliseconds: waitMilliseconds)
        now = backend.readClock()
        counters.waited(nanoseconds: now.nanoseconds(since: workEnd))
        let trouble = backend.trouble
        if trouble.errorCount != backendErrorCount { note(trouble) }
    }

    /// Counts the errors of the backend. After one that lasts the loop stops: it could neither send
    /// nor hear anything, and would only turn.
    private func note(_ trouble: BackendTrouble) {
        counters.count(.backendErrors(trouble.errorCount - backendErrorCount))
        backendErrorCount = trouble.errorCount
        guard trouble.failureErrno != 0, failure == nil else { return }
        failure = SystemError(operation: "\(trouble.operation)", errno: trouble.failureErrno)
        isStopping = true
    }

    /// How long this loop could wait after the last turn if nothing came from outside: 0 for not at
    /// all, -1 for ever.
    package var waitMilliseconds: Int32 {
        if !laterWork.isEmpty || !unsettledNextTick.isEmpty || mailbox.hasMail { return 0 }
        if !handshakes.isEmpty { return 0 }
        guard let due = wheel.nextDue else { return -1 }
        guard due > now else { return 0 }
        return Int32(clamping: (due.nanoseconds - now.nanoseconds + 999_999) / 1_000_000)
    }

    private func complete() {
        swap(&unsettled, &unsettledNextTick)
        settle()
        completionCount = 0
        while let event = backend.next() {
            completionCount += 1
            switch slots.find(event.token) {
            case .stream(let stream): stream.handle(event.completion)
            case .listener(let listener): listener.handle(event.completion)
            case .timer, .nobody: dropStale(event.completion)
            }
            settle()
        }
    }

    /// A completion for an occupant that is gone. Only a descriptor must not be lost.
    private func dropStale(_ completion: Completion) {
        if case .accepted(let descriptor, _) = completion { backend.discard(descriptor) }
    }

    private func runPostedWork() {
        if mailbox.hasMail {
            for work in mailbox.take() {
                work()
                settle()
            }
        }
        guard !laterWork.isEmpty else { return }
        swap(&laterBatch, &laterWork)
        while let work = laterBatch.next() {
            work.run()
            settle()
        }
    }

    private func fireTimers() {
        while let slot = wheel.popDue(now) {
            switch slots.occupant(at: slot) {
            case .stream(let stream): stream.due(now)
            case .listener(let listener): listener.due()
            case .timer(let timer): timer.due(now)
            case .nobody: break
            }
            settle()
        }
    }

    private func answerHandshakes() {
        guard !handshakes.isEmpty else { return }
        handshakes.beginTurn(after: completionCount)
        while let token = handshakes.next() {
            guard case .stream(let stream) = slots.find(token) else {
                handshakes.passOver()
                continue
            }
            stream.answerHello()
            settle()
        }
    }

    /// What the loop has now. On the loop's thread.
    public var gauges: LoopGauges {
        var gauges = LoopGauges()
        gauges.slabsUsed = slabs.outstanding
        gauges.slabsFree = slabs.freeCount
        gauges.timersArmed = wheel.count
        gauges.slotsUsed = slots.count
        return gauges
    }

    // MARK: For streams, listeners and timers

    /// Takes a slot; `occupy` follows.
    func reserveSlot() -> Token { slots.reserve() }

    /// Puts an occupant into a reserved slot.
    func occupy(_ token: Token, _ occupant: Occupant) { slots.occupy(token, occupant) }

    /// Releases a slot. From now on its token finds `.nobody`.
    func release(_ token: Token) { slots.release(token) }

    /// Makes the loop call the slot's occupant at `time` at the latest. Costs nothing when an
    /// earlier call is due anyway.
    func arm(_ token: Token, at time: MonotonicTime) { wheel.arm(token.slot, at: time) }

    /// The slot's occupant is not called any more.
    func disarm(_ token: Token) { wheel.disarm(token.slot) }

    /// Counts what has happened to a connection.
    @inline(__always)
    func count(_ event: LoopCounters.Event) { counters.count(event) }

    /// Settles `stream` when the current event is over. The stream asks once until it is settled.
    func settleLater(_ stream: Stream) { unsettled.append(stream) }

    /// Settles `stream` in the next tick, so that others have their turn in between. The stream
    /// asks once until it is settled.
    func settleNextTick(_ stream: Stream) { unsettledNextTick.append(stream) }

    /// Calls the stream's `answerHello` at the end of this turn or of a later one, when those before it
    /// have had theirs.
    func joinHandshakes(_ token: Token) { handshakes.join(token) }

    private func settle() {
        while let stream = unsettled.next() { stream.settle() }
    }

    // MARK: The end

    /// Streams hear `streamClosed(.local)`; what a backend still holds is waited for, briefly.
    private func closeEverything() {
        for slot in 0..<slots.endSlot {
            switch slots.occupant(at: slot) {
            case .stream(let stream): stream.abort()
            case .listener(let listener): listener.abandon()
            case .timer(let timer): timer.cancel()
            case .nobody: break
            }
            settle()
        }
        mailbox.close()
        laterWork.removeAll()
        var attempts = 0
        while slots.count > 0, attempts < 100, failure == nil {
            attempts += 1
            backend.wait(milliseconds: 10)
            complete()
            slots.recycle()
        }
        let work = endWork
        endWork = []
        for work in work { work.run() }
        laterWork.removeAll()
    }
}

/// Work in an array. An array of closures would allocate for each element, because it stores
/// closures in a form of its own.
private struct LaterWork {
    let run: () -> Void
}
