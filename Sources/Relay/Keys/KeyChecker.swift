// Answers "is this key good?" for the sessions of one loop: from the cache, from a check that is
// already under way, or by asking the API. It lives on its loop; the cache is what the loops share.
// Questions that the pool does not take at once wait by network (`QuestionLine`).

import APIClient
import Reactor
import Wire

/// A session that asks about a key.
package class KeyCheckOwner: StreamHandler {
    /// The answer to a `check` that returned nil, on the owner's loop.
    func keyChecked(_ verdict: KeyVerdict) {}
}

/// Asks the cache or the API about a key, for the sessions of one loop.
final class KeyChecker {
    private let loop: Loop
    private let cache: KeyCache
    private let fleet: FleetFacts
    private let pool: ConnectionPool
    private let timeoutMilliseconds: Int
    /// Questions, by who answered them.
    private(set) var counts = KeyCheckCounts()
    /// The owners that wait for a key's verdict.
    private var waits: [APIKey.Hash: [KeyCheckOwner]] = [:]
    /// Questions that the pool does not take yet.
    private var line = QuestionLine()
    /// The key that an owner waits for.
    private var hashes: [ObjectIdentifier: APIKey.Hash] = [:]

    /// - Parameter fleet: nobody, by default.
    init(
        loop: Loop, cache: KeyCache,
        fleet: FleetFacts = FleetFacts(link: nil, limits: RateLimitMemory()), pool: ConnectionPool
    ) {
        self.loop = loop
        self.cache = cache
        self.fleet = fleet
        self.pool = pool
        timeoutMilliseconds = pool.options.timeoutMilliseconds
    }

    /// An owner asks about one key at a time.
    /// - Parameter peer: the client of the owner; questions of one network take turns with others'.
    /// - Returns: the verdict if it is known now; else nil, and `keyChecked` follows exactly once,
    ///   unless `cancel` comes first.
    func check(
        _ key: APIKey, for owner: KeyCheckOwner, at peer: SocketAddress
    ) -> KeyVerdict? {
        guard key.isWellFormed else { return .refused }
        if fleet.hasForgotten(key, at: loop.now) { cache.forgetVerdict(on: key.hash) }
        let id = ObjectIdentifier(owner)
        precondition(hashes[id] == nil, "an owner asks about one key at a time")
        if waits[key.hash] == nil {
            switch cache.find(key.hash, at: loop.now, waiter: waiter) {
            case .known(let verdict):
                counts.fromCache += 1
                return verdict
            case .ask:
                counts.asked += 1
                guard ask(key, from: Network(of: peer)) else {
                    let verdict = KeyVerdict.unavailable(
                        reason: "too many questions of this network wait")
                    settle(key.hash, verdict)
                    return verdict
                }
            case .wait: counts.joined += 1
            }
        } else {
            counts.joined += 1
        }
        hashes[id] = key.hash
        waits[key.hash, default: []].append(owner)
        return nil
    }

    /// Whether the cache has the key as a valid one; nobody is asked.
    func knowsAsGood(_ key: APIKey) -> Bool { cache.knowsAsGood(key.hash, at: loop.now) }

    /// The owner no longer waits. The check goes on, so that the cache learns the verdict.
    func cancel(_ owner: KeyCheckOwner) {
        guard let hash = hashes.removeValue(forKey: ObjectIdentifier(owner)) else { return }
        waits[hash]?.removeAll { $0 === owner }
        if waits[hash]?.isEmpty == true { waits[hash] = nil }
    }

    /// - Returns: false when the network has too many questions already.
    private func ask(_ key: APIKey, from network: Network) -> Bool {
        let question = KeyQuestion(
            key: key, deadline: loop.now.advanced(byMilliseconds: timeoutMilliseconds))
        if line.isEmpty, pool.takesCheck {
            start(question)
            return true
        }
        guard line.add(question, of: network) else { return false }
        startWaiting()
        return true
    }

    private func start(_ question: KeyQuestion) {
        pool.start(
            APICall(
                kind: .checkKey, key: question.key, flow: nil, body: nil,
                owner: KeyCheckFlight(checker: self), deadline: question.deadline))
    }

    /// Starts what the pool takes now. While a question waits, one is under way, and its end comes
    /// here.
    private func startWaiting() {
        while pool.takesCheck, let question = line.next() { start(question) }
    }

    /// The API has answered a question of this loop.
    fileprivate func answered(_ hash: APIKey.Hash, _ verdict: KeyVerdict) {
        settle(hash, verdict)
        startWaiting()
    }

    private func settle(_ hash: APIKey.Hash, _ verdict: KeyVerdict) {
        cache.settle(hash, verdict, at: loop.now)
        tell(hash, verdict)
    }

    private func tell(_ hash: APIKey.Hash, _ verdict: KeyVerdict) {
        guard let owners = waits.removeValue(forKey: hash) else { return }
        for owner in owners where hashes.removeValue(forKey: ObjectIdentifier(owner)) != nil {
            owner.keyChecked(verdict)
        }
    }

    /// How other loops tell this one a verdict. The checker is touched on its own loop only.
    private var waiter: KeyCache.Waiter {
        nonisolated(unsafe) let checker = self
        let mailbox = loop.mailbox
        return KeyCache.Waiter(loopIndex: loop.index) { hash, verdict in
            mailbox.post { checker.tell(hash, verdict) }
        }
    }
}

/// One question to the API.
private final class KeyCheckFlight: APICallOwner {
    private let checker: KeyChecker

    init(checker: KeyChecker) { self.checker = checker }

    /// A check has no body.
    func callWantsBody(_ call: APICall) {}

    func callFinished(_ call: APICall, _ result: APIResult) {
        checker.answered(call.key.hash, KeyVerdict(result))
    }
}

extension KeyVerdict {
    /// What the result of a key check says about the key. Only a real key gets 403 or 429. A result
    /// that is no answer about the key says nothing about it, and neither does the page of something
    /// in front of the API.
    init(_ result: APIResult) {
        switch result {
        case .limited: self = .unavailable(reason: "a limit of the API still runs")
        case .notSent(let reason): self = .unavailable(reason: reason)
        case .uncertain(let reason, _): self = .unavailable(reason: reason)
        case .response(let response) where response.isForeign:
            self = .unavailable(reason: "status \(response.status), not from the API")
        case .response(let response):
            switch response.status {
            case 200...299, 403, 429: self = .valid
            case 401: self = .refused
            default: self = .unavailable(reason: "status \(response.status)")
            }
        }
    }
}
