// Finds the API's addresses again and again, without ever blocking the loop.
//
// A name service is asked (see there); its answer comes back on the loop. One look-up at a time; an
// answer for an older generation (the resolver was stopped meanwhile) is dropped. Address literals
// need no look-up.

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
    private let names: any NameService
    private let owner: ResolverOwner
    private var timer: LoopTimer?
    private var generation = 0
    /// Failures in a row; they are retried sooner than the TTL.
    private var failures = 0

    private static let retryMillisecondsMin = 1_000

    init(
        loop: Loop, endpoint: APIEndpoint, ttlMilliseconds: Int, names: any NameService,
        owner: ResolverOwner
    ) {
        self.loop = loop
        self.names = names
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
    private func lookUp() {
        names.lookUp(
            host: host, port: port, on: loop, question: generation,
            for: ResolverQuestion(resolver: self))
    }

    fileprivate func answered(_ answer: NameAnswer, generation answered: Int) {
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

/// Brings one answer back.
private final class ResolverQuestion: NameInquirer {
    private let resolver: Resolver

    init(resolver: Resolver) { self.resolver = resolver }

    func answered(_ answer: NameAnswer, to question: Int) {
        resolver.answered(answer, generation: question)
    }
}
