// The thread that writes log lines, and what waits for it.
//
// Lines come from the loops' streams (`LoopLog`) and from swift-log, which appends to a queue under a
// lock. A line of swift-log's notes how far each stream was then, so lines of one loop keep their
// order. The thread sleeps until a line comes, waits some milliseconds for more, and writes all of
// them from where they are. When the reader of standard error is slow, lines wait up to a bound; then
// they are dropped and counted, and the count is written as soon as there is room. The relay never
// waits for its log.

import CEpoll.System
import Glibc
import Reactor
import Synchronization

/// Writes lines to one descriptor, or entries to a datagram socket, from a thread of its own.
package final class LogWriter: Sendable {
    /// Bytes of lines that may wait to be written.
    private static let pendingBytesMax = 4 * 1_048_576
    /// How long the first line of a loop waits for others.
    private static let gatherMilliseconds: Int32 = 5
    /// How long the end of the process waits for a reader that has stopped.
    private static let finishMilliseconds: Int32 = 5_000

    /// Of these streams, the lines before these positions come before the queue's byte `offset`.
    private struct Mark {
        let stream: LogStream
        let position: Int
        let offset: Int
    }

    private struct Source {
        let stream: LogStream
        /// The position of its last mark.
        var marked: Int
    }

    /// What waits, or what the thread has taken of it.
    private struct Queue {
        var bytes: [UInt8] = []
        var marks: [Mark] = []
        /// Of the loops that run; of those that have ended when it is taken.
        var sources: [Source] = []
        var isStopping = false
    }

    private let queue = Locked(Queue())
    private let budget = LogBudget(bytesMax: pendingBytesMax)
    private let dropped = Atomic<Int>(0)
    private let control: LogControl?
    /// An eventfd that ends the thread's rest.
    private let bell: Int32
    /// The thread waits for a line.
    private let isResting = Atomic<Bool>(false)
    /// Something waits that should not wait for more.
    private let isHurried = Atomic<Bool>(false)
    /// An eventfd that is readable once the thread has ended.
    private let done: Int32

    /// Starts the thread.
    /// - Parameters:
    ///   - descriptor: stays the caller's, and must outlive the writer.
    ///   - control: counts each line that is dropped.
    package convenience init(descriptor: Int32, control: LogControl? = nil) {
        self.init(LogTarget(descriptor: descriptor), control)
    }

    /// Starts the thread; each line is a datagram.
    package convenience init(socket: DatagramSocket, control: LogControl? = nil) {
        self.init(LogTarget(socket: socket), control)
    }

    private init(_ target: LogTarget, _ control: LogControl?) {
        self.control = control
        bell = cs_eventfd()
        done = cs_eventfd()
        precondition(min(bell, done) >= 0, "eventfd: error \(-min(bell, done))")
        nonisolated(unsafe) let target = target  // Of the thread alone.
        startThread { [self] in
            cs_name_thread("log")
            work(target)
        }
    }

    deinit {
        close(bell)
        close(done)
    }

    // MARK: From any thread

    /// A stream for the lines of one loop.
    func addStream(first slab: LogSlab) -> LogStream {
        let stream = LogStream(first: slab, budget: budget)
        queue.withLock { $0.sources.append(Source(stream: stream, marked: 0)) }
        return stream
    }

    /// Queues one line with its line end, or drops it when too many bytes wait.
    func write(_ line: [UInt8]) {
        guard budget.takes(line.count) else { return dropLine() }
        queue.withLock { queue in
            Self.mark(&queue)
            queue.bytes.append(contentsOf: line)
        }
        hurry()
    }

    /// A line is lost.
    func dropLine() { dropLines(1) }

    private func dropLines(_ count: Int) {
        dropped.add(count, ordering: .relaxed)
        control?.dropLines(count)
    }

    /// A stream has one more line. Nearly always the thread is awake, and this is one load.
    @inline(__always)
    func lineWaits() {
        if isResting.load(ordering: .sequentiallyConsistent) { ring() }
    }

    /// What waits is written without waiting for more.
    func hurry() {
        if !isHurried.exchange(true, ordering: .sequentiallyConsistent) {
            isResting.store(false, ordering: .sequentiallyConsistent)
            cs_eventfd_signal(bell)
        } else {
            lineWaits()
        }
    }

    private func ring() {
        if isResting.exchange(false, ordering: .sequentiallyConsistent) { cs_eventfd_signal(bell) }
    }

    /// Writes what waits and ends the thread. Called once, at the end of the process. Gives up after
    /// five seconds, when nobody reads.
    package func finish() { finish(within: Self.finishMilliseconds) }

    func finish(within milliseconds: Int32) {
        queue.withLock { $0.isStopping = true }
        hurry()
        Self.wait(for: done, milliseconds: milliseconds)
    }

    // MARK: The thread

    private func work(_ target: LogTarget) {
        var batch = Queue()
        var unsaid = 0
        while !batch.isStopping {
            rest()
            if !isHurried.load(ordering: .sequentiallyConsistent) {
                Self.wait(for: bell, milliseconds: Self.gatherMilliseconds)
            }
            take(&batch)
            write(batch, target)
            for source in batch.sources { source.stream.finish() }
            unsaid += dropped.exchange(0, ordering: .relaxed)
            // Said again when it could not be written: it is not lost with the lines.
            if unsaid > 0, target.says(dropped: unsaid) { unsaid = 0 }
        }
        cs_eventfd_signal(done)
    }

    /// Waits until there is something to write, or to end.
    private func rest() {
        isResting.store(true, ordering: .sequentiallyConsistent)
        // What came before that has rung no bell.
        guard !hasWork else { return isResting.store(false, ordering: .sequentiallyConsistent) }
        while isResting.load(ordering: .sequentiallyConsistent) {
            Self.wait(for: bell, milliseconds: -1)
        }
    }

    private var hasWork: Bool {
        queue.withLock { queue in
            queue.isStopping || !queue.bytes.isEmpty
                || queue.sources.contains { $0.stream.end > $0.marked }
        }
    }

    /// Takes all that waits, with a mark at its end. `batch` gets its memory back.
    private func take(_ batch: inout Queue) {
        batch.bytes.removeAll(keepingCapacity: batch.bytes.capacity < LogSlab.usualBytes * 8)
        batch.marks.removeAll(keepingCapacity: true)
        batch.sources.removeAll()
        isHurried.store(false, ordering: .sequentiallyConsistent)
        queue.withLock { queue in
            if Self.mark(&queue) {
                let hasEnded = { (source: Source) in
                    source.stream.isClosed && source.stream.end <= source.marked
                }
                batch.sources = queue.sources.filter(hasEnded)
                queue.sources.removeAll(where: hasEnded)
            }
            swap(&queue.bytes, &batch.bytes)
            swap(&queue.marks, &batch.marks)
            batch.isStopping = queue.isStopping
        }
    }

    /// Notes how far the streams are: their lines come before the next byte of the queue.
    /// - Returns: whether one of them has ended.
    @discardableResult
    private static func mark(_ queue: inout Queue) -> Bool {
        var isOneClosed = false
        for index in queue.sources.indices {
            let source = queue.sources[index]
            if source.stream.isClosed { isOneClosed = true }
            let end = source.stream.end
            guard end > source.marked else { continue }
            queue.sources[index].marked = end
            queue.marks.append(
                Mark(stream: source.stream, position: end, offset: queue.bytes.count))
        }
        return isOneClosed
    }

    private func write(_ batch: Queue, _ target: LogTarget) {
        var offset = 0
        for mark in batch.marks {
            write(batch.bytes[offset..<mark.offset], target)
            offset = mark.offset
            mark.stream.take(before: mark.position) { dropLines(target.write($0)) }
        }
        write(batch.bytes[offset...], target)
        budget.give(batch.bytes.count)
    }

    private func write(_ lines: ArraySlice<UInt8>, _ target: LogTarget) {
        guard !lines.isEmpty else { return }
        dropLines(lines.withUnsafeBytes(target.write))
    }

    private static func wait(for descriptor: Int32, milliseconds: Int32) {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, milliseconds) > 0 else { return }
        var count: UInt64 = 0
        _ = read(descriptor, &count, MemoryLayout<UInt64>.size)
    }
}

/// Runs `body` on a new detached thread.
func startThread(_ body: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(body))
    let result = pthread_create(
        &thread, nil,
        { argument in
            Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
            return nil
        }, box.toOpaque())
    precondition(result == 0, "pthread_create: error \(result)")
    pthread_detach(thread)
}
