// N loops. Each is made and run on its own thread; only its mailbox ever leaves that thread.

import CEpoll.System
import Glibc

/// N loops, each on its own thread.
public final class LoopGroup: Sendable {
    /// The mailboxes of the loops, in their order.
    public let mailboxes: [Mailbox]
    private let threads: Locked<[pthread_t]>

    /// Starts `count` threads named "loop-N". `setUp` runs on each loop's thread before its first
    /// tick; its result lives until that loop ends. `.auto` is decided once for all loops. When all
    /// are set up, `whenReady` runs on the caller's thread. No loop makes its first tick before
    /// that.
    ///
    /// - Parameter loopFailed: called on a loop's thread when the kernel has refused its backend for
    ///   good. The loop has ended its streams and does nothing any more, so its clients must go
    ///   elsewhere: by default the process ends (`endProcess`).
    /// - Throws: the first error of `setUp`, of making a loop or of `whenReady`; all threads have
    ///   ended again then.
    public init(
        count: Int, backend: BackendKind, setUp: @escaping @Sendable (Loop) throws -> AnyObject,
        loopFailed: @escaping @Sendable (Int, SystemError) -> Void = LoopGroup.endProcess,
        whenReady: () throws -> Void = {}
    ) throws {
        let kind =
            backend == .auto ? try BackendChoice(.auto, loopCount: count).kind : backend
        var mailboxes: [Mailbox] = []
        var started: [pthread_t] = []
        var launches: [LoopLaunch] = []
        var failure: (any Error)?
        for index in 0..<count where failure == nil {
            let launch = LoopLaunch(
                index: index, backend: kind, setUp: setUp, loopFailed: loopFailed)
            do {
                started.append(try launch.start())
                mailboxes.append(try launch.awaitSetUp())
                launches.append(launch)
            } catch { failure = error }
        }
        if failure == nil {
            do { try whenReady() } catch { failure = error }
        }
        self.mailboxes = mailboxes
        threads = Locked(started)
        if failure != nil { stop() }
        for launch in launches { launch.go() }
        if let failure {
            join()
            throw failure
        }
    }

    /// Ends the process with a line on standard error and EX_OSERR, at once: "loop-0 ends, and the
    /// process with it: io_uring_enter: Bad file descriptor".
    public static func endProcess(_ index: Int, _ error: SystemError) {
        let line = Array("loop-\(index) ends, and the process with it: \(error)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
        _exit(71)
    }

    /// Asks every loop to stop.
    public func stop() { for mailbox in mailboxes { mailbox.postStop() } }

    /// Waits until all threads have ended. Once is enough; later calls return at once.
    public func join() {
        let threads = self.threads.withLock { threads in
            var taken: [pthread_t] = []
            swap(&taken, &threads)
            return taken
        }
        for thread in threads { pthread_join(thread, nil) }
    }
}

/// Starts one loop's thread and waits for its answer.
private final class LoopLaunch: Sendable {
    private let index: Int
    private let backend: BackendKind
    private let setUp: @Sendable (Loop) throws -> AnyObject
    private let loopFailed: @Sendable (Int, SystemError) -> Void
    private let result = Locked<Result<Mailbox, any Error>?>(nil)
    /// An eventfd that is readable once `result` is there.
    private let ready = cs_eventfd()
    /// An eventfd that is readable once the loop may run.
    private let released = cs_eventfd()

    init(
        index: Int, backend: BackendKind, setUp: @escaping @Sendable (Loop) throws -> AnyObject,
        loopFailed: @escaping @Sendable (Int, SystemError) -> Void
    ) {
        self.index = index
        self.backend = backend
        self.setUp = setUp
        self.loopFailed = loopFailed
    }

    deinit {
        for descriptor in [ready, released] where descriptor >= 0 { close(descriptor) }
    }

    /// Starts the thread, which keeps this object alive until the loop ends.
    func start() throws(SystemError) -> pthread_t {
        let descriptor = min(ready, released)
        guard descriptor >= 0 else { throw SystemError(operation: "eventfd", errno: -descriptor) }
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(self)
        let status = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<LoopLaunch>.fromOpaque(argument).takeRetainedValue().main()
                return nil
            }, argument.toOpaque())
        guard status == 0 else {
            argument.release()
            throw SystemError(operation: "pthread_create", errno: status)
        }
        return thread
    }

    /// Waits until the thread has set its loop up, or has failed to.
    func awaitSetUp() throws -> Mailbox {
        Self.wait(for: ready)
        let outcome = result.withLock { $0 }
        guard let outcome else { throw SystemError(operation: "loop-\(index)", errno: EIO) }
        return try outcome.get()
    }

    /// Lets the loop run.
    func go() { cs_eventfd_signal(released) }

    private static func wait(for descriptor: Int32) {
        var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while poll(&wanted, 1, -1) != 1 {}
    }

    /// The whole life of the thread.
    private func main() {
        cs_name_thread("loop-\(index)")
        do {
            let loop = try Loop(index: index, backend: backend)
            let owner = try setUp(loop)
            report(.success(loop.mailbox))
            Self.wait(for: released)
            withExtendedLifetime(owner) { loop.run() }
            if let failure = loop.failure { loopFailed(index, failure) }
        } catch {
            report(.failure(error))
        }
    }

    private func report(_ outcome: Result<Mailbox, any Error>) {
        result.withLock { $0 = outcome }
        cs_eventfd_signal(ready)
    }
}
