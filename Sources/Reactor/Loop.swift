// STUB of the contract; the reactor's author replaces the bodies.

/// One event loop on one thread. Everything it made belongs to it and to that thread.
public final class Loop {
    public let index: Int
    /// The time of this tick.
    public private(set) var now: MonotonicTime = .readClock()
    public let slabs = SlabPool()
    /// The one door from other threads.
    public let mailbox: Mailbox

    /// - Throws: `SystemError` when the kernel refuses epoll or eventfd.
    public init(index: Int, backend: BackendKind) throws(SystemError) { fatalError() }

    /// Runs ticks on the calling thread until `stop()`; closes what is left.
    public func run() { fatalError() }
    /// Ends `run` after this tick. From the loop's own thread.
    public func stop() { fatalError() }
    /// Runs `work` at the end of this tick, after the events. From the loop's own thread.
    public func later(_ work: @escaping () -> Void) { fatalError() }
}

/// Which backend moves the bytes; `auto` picks.
public enum BackendKind: String, Sendable, CaseIterable { case auto, epoll, io_uring }

/// A failed system call: what was tried, on what, and `errno`.
public struct SystemError: Error, Sendable, CustomStringConvertible {
    public let operation: String
    public let errno: Int32
    public var description: String { fatalError() }
}

/// Lets any thread run work on a loop.
public final class Mailbox: Sendable {
    init() {}
    /// Queues `work` and wakes the loop. Work posted after the loop has stopped is dropped.
    public func post(_ work: @escaping @Sendable () -> Void) { fatalError() }
}

/// Who is called when a `LoopTimer` fires.
open class TimerHandler {
    public init() {}
    open func timerFired(_ timer: LoopTimer) {}
}

/// A one-shot timer on a loop for work that has no stream. Resolution: the wheel's 10 ms.
public final class LoopTimer {
    public init(loop: Loop, handler: TimerHandler) { fatalError() }
    /// Arms (or moves) it; `.never` disarms.
    public func arm(at time: MonotonicTime) { fatalError() }
    public func cancel() { fatalError() }
}

/// N loops, each on its own thread, and the signals of the process.
public final class LoopGroup: Sendable {
    /// Starts `count` threads named "loop-N". `setUp` runs on each loop's thread before its first
    /// tick; what it returns lives until that loop ends.
    public init(
        count: Int, backend: BackendKind, setUp: @escaping @Sendable (Loop) throws -> AnyObject
    ) throws { fatalError() }
    public var mailboxes: [Mailbox] { fatalError() }
    /// Asks every loop to stop.
    public func stop() { fatalError() }
    /// Waits until all threads have ended.
    public func join() { fatalError() }
}

/// Blocking signal handling for the main thread.
public enum Signals {
    /// Blocks these signals in the calling thread and all it will start; ignores SIGPIPE. Call
    /// first thing in `main`.
    public static func block(_ signals: [Int32]) { fatalError() }
    /// Waits for one of them; returns its number, or nil at `timeoutMilliseconds`.
    public static func wait(for signals: [Int32], timeoutMilliseconds: Int?) -> Int32? {
        fatalError()
    }
}
