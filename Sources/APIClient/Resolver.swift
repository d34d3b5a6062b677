// Finds the API's addresses again and again, and never blocks the loop.
//
// It asks a `NameService`, one question at a time; the answer comes back on the loop. An answer to
// a question from before `stop` is dropped. Address literals and localhost need no question.

import Reactor

/// Hears what a resolver finds, on the loop.
protocol ResolverOwner: AnyObject {
    func resolved(_ addresses: [SocketAddress])
    func resolutionFailed(_ reason: String)
}

/// Name resolution for one pool.
final class Resolver: TimerHandler {
    private let loop: Loop
    private let host: String
    private let port: UInt16
    private let ttlMilliseconds: Int
    private let names: any NameService
    private let owner: any ResolverOwner
    private var timer: LoopTimer?
    /// Goes into each question; another one after each `stop`.
    private var generation = 0
    /// Failures in a row; they are tried again sooner than after the TTL.
    private var failures = 0

    private static let retryMillisecondsMin = 1_000

    /// - Parameters:
    ///   - ttlMilliseconds: how long an answer is used before the next question.
    ///   - owner: kept as long as the resolver.
    init(
        loop: Loop, endpoint: APIEndpoint, ttlMilliseconds: Int, names: any NameService,
        owner: any ResolverOwner
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

    /// The addresses of a host that DNS has nothing to say about; nil for any other.
    private static func literal(host: String, port: UInt16) -> [SocketAddress]? {
        if host.lowercased() == "localhost" {
            return [SocketAddress("127.0.0.1:\(port)"), SocketAddress("[::1]:\(port)")]
                .compactMap { $0 }
        }
        let text = host.utf8.contains(0x3A) ? "[\(host)]:\(port)" : "\(host):\(port)"
        return SocketAddress(text).map { [$0] }
    }

    private func lookUp() {
        names.lookUp(host: host, port: port, on: loop, question: generation, for: self)
    }
}

// MARK: - Answers

extension Resolver: NameInquirer {
    func answered(_ answer: NameAnswer, to question: Int) {
        guard question == generation else { return }
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
