// The thread that writes log lines, and the queue in front of it.
//
// A caller appends to a buffer, under a lock that is held for one copy. When the reader of standard
// error is slow, the buffer fills to its bound; then lines are dropped and counted, and the count is
// written as soon as there is room. The relay never waits for its log.

import CEpoll.System
import Glibc
import Reactor

/// Writes lines to one descriptor, or entries to a datagram socket, from a thread of its own.
package final class LogWriter: Sendable {
    /// Bytes of lines that may wait to be written.
    private static let pendingBytesMax = 4 * 1_048_576

    private struct State {
        var pending: [UInt8] = []
        /// The ends of the entries in `pending`; used when each entry is a datagram.
        var ends: [Int] = []
        var droppedLines = 0
        var isStopping = false
    }

    private let state = Locked(State())
    private let wake = Semaphore()
    private let done = Semaphore()
    private let descriptor: Int32
    private let socket: DatagramSocket?
    private let control: LogControl?

    /// Starts the thread.
    /// - Parameters:
    ///   - descriptor: stays the caller's, and must outlive the writer.
    ///   - control: counts each line that is dropped.
    package init(descriptor: Int32, control: LogControl? = nil) {
        self.descriptor = descriptor
        socket = nil
        self.control = control
        startThread { [self] in
            cs_name_thread("log")
            drain()
        }
    }

    /// Starts the thread; each line is a datagram.
    package init(socket: DatagramSocket, control: LogControl? = nil) {
        descriptor = -1
        self.socket = socket
        self.control = control
        startThread { [self] in
            cs_name_thread("log")
            drain()
        }
    }

    /// Queues one line with its line end, or drops it when too many bytes wait.
    func write(_ line: [UInt8]) {
        let isFirst = state.withLock { state in
            guard state.pending.count + line.count <= Self.pendingBytesMax else {
                state.droppedLines += 1
                control?.dropLine()
                return false
            }
            state.pending.append(contentsOf: line)
            if socket != nil { state.ends.append(state.pending.count) }
            return state.pending.count == line.count
        }
        if isFirst { wake.signal() }
    }

    /// Writes what waits and ends the thread. Called once, at the end of the process.
    package func finish() {
        state.withLock { $0.isStopping = true }
        wake.signal()
        done.wait()
    }

    private func drain() {
        var isStopping = false
        while !isStopping {
            wake.wait()
            var lines: [UInt8] = []
            var ends: [Int] = []
            var dropped = 0
            state.withLock { state in
                swap(&lines, &state.pending)
                swap(&ends, &state.ends)
                dropped = state.droppedLines
                state.droppedLines = 0
                isStopping = state.isStopping
            }
            if dropped > 0 {
                let words = "log: \(dropped) lines dropped\n"
                lines.append(contentsOf: (socket == nil ? words : "MESSAGE=" + words).utf8)
                if socket != nil { ends.append(lines.count) }
            }
            if let socket { sendAll(lines, ends, socket) } else { writeAll(lines) }
        }
        done.signal()
    }

    private func sendAll(_ bytes: [UInt8], _ ends: [Int], _ socket: DatagramSocket) {
        var start = 0
        for end in ends {
            if !socket.send(bytes[start..<end]) { control?.dropLine() }
            start = end
        }
    }

    private func writeAll(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { buffer in
            var offset = 0
            while offset < buffer.count {
                let count = Glibc.write(
                    descriptor, buffer.baseAddress! + offset, buffer.count - offset)
                if count > 0 {
                    offset += count
                } else if errno == EAGAIN {
                    waitWritable()
                } else if errno != EINTR {
                    return  // The reader is gone: there is no one to tell.
                }
            }
        }
    }

    private func waitWritable() {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&entry, 1, 1_000)
    }
}

/// A counting semaphore between two threads.
final class Semaphore: @unchecked Sendable {
    private let storage: UnsafeMutablePointer<sem_t>

    init() {
        storage = .allocate(capacity: 1)
        sem_init(storage, 0, 0)
    }

    deinit {
        sem_destroy(storage)
        storage.deallocate()
    }

    func signal() { sem_post(storage) }

    func wait() {
        while sem_wait(storage) != 0 && errno == EINTR {}
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
