// Finds the API's addresses again and again, without ever blocking the loop.
//
// Each look-up runs on a short-lived helper thread (getaddrinfo has no other way) and its answer
// comes back through the loop's mailbox. One look-up at a time; an answer for an older generation
// (the resolver was stopped meanwhile) is dropped. Address literals need no look-up.

import Glibc
import Reactor

/// What a resolver tells the pool, on the loop.
class ResolverOwner {
    func resolved(_ addresses: [SocketAddress]) {}
    func resolutionFailed(_ reason: String) {}
}

/// Name resolution for one pool.
final class Resolver: TimerHandler {
    private let loop: Loop
    private let host: String
    private let port: UInt16
    private let ttlMilliseconds: Int
    private let owner: ResolverOwner
    private var timer: LoopTimer?
    private var generation = 0
    /// Failures in a row; they are retried sooner than the TTL.
    private var failures = 0

    private static let retryMillisecondsMin = 1_000

    init(loop: Loop, endpoint: APIEndpoint, ttlMilliseconds: Int, owner: ResolverOwner) {
        self.loop = loop
        host = endpoint.host
        port = endpoint.port
        self.ttlMilliseconds = ttlMilliseconds
        self.owner = owner
        super.init()
    }

    /// The first answer follows; at once for an address literal or localhost.
    func start() {
        if let addresses = Resolver.literal(host: host, port: port) {
            owner.resolved(addresses)
            return
        }
        timer = LoopTimer(loop: loop, handler: self)
        lookUp()
    }

    /// No answer follows any more.
    func stop() {
        generation += 1
        timer?.cancel()
        timer = nil
    }

    override func timerFired(_ timer: LoopTimer) { lookUp() }

    /// The addresses of a host that is none of DNS's business.
    static func literal(host: String, port: UInt16) -> [SocketAddress]? {
        if host.lowercased() == "localhost" {
            return [SocketAddress("127.0.0.1:\(port)"), SocketAddress("[::1]:\(port)")]
                .compactMap { $0 }
        }
        let text = host.utf8.contains(0x3A) ? "[\(host)]:\(port)" : "\(host):\(port)"
        return SocketAddress(text).map { [$0] }
    }
}

// MARK: - Look-ups

extension Resolver {
    private enum Answer: Sendable {
        case addresses([SocketAddress])
        case failed(String)
    }

    private func lookUp() {
        // The resolver itself is touched on its loop only; the thread just carries the reference.
        nonisolated(unsafe) let resolver = self
        let mailbox = loop.mailbox
        let (host, port, asked) = (host, port, generation)
        let isStarted = DetachedThread.start {
            let answer = Resolver.ask(host: host, port: port)
            mailbox.post { resolver.answered(answer, generation: asked) }
        }
        if !isStarted { answered(.failed("no thread for the resolver"), generation: asked) }
    }

    private static func ask(host: String, port: UInt16) -> Answer {
        do throws(ResolveError) {
            return .addresses(try SocketAddress.resolve(host: host, port: port))
        } catch {
            return .failed(error.description)
        }
    }

    private func answered(_ answer: Answer, generation answered: Int) {
        guard answered == generation else { return }
        var delay = ttlMilliseconds
        switch answer {
        case .addresses(let addresses) where !addresses.isEmpty:
            failures = 0
            owner.resolved(addresses)
        case .addresses: failed("no address", &delay)
        case .failed(let reason): failed(reason, &delay)
        }
        timer?.arm(at: loop.now.advanced(byMilliseconds: delay))
    }

    private func failed(_ reason: String, _ delay: inout Int) {
        delay = min(delay, Resolver.retryMillisecondsMin << min(failures, 10))
        failures += 1
        owner.resolutionFailed(reason)
    }
}

/// A thread that nobody joins.
private enum DetachedThread {
    private final class Work {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Runs `work` on a new thread; false when the kernel has none.
    static func start(_ work: @escaping @Sendable () -> Void) -> Bool {
        var attributes = pthread_attr_t()
        guard pthread_attr_init(&attributes) == 0 else { return false }
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let box = Unmanaged.passRetained(Work(work))
        var thread = pthread_t()
        let status = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, box.toOpaque())
        if status != 0 { box.release() }
        return status == 0
    }
}
