// The credentials of a session: decodes the responses of AUTH (RFC 4616, LOGIN), has keys checked,
// and keeps the key of the login. What a login may cost is decided by `LoginState`.
//
// Decoded credentials lie in a buffer on the stack that is wiped before it goes; only the key is
// kept, in an `APIKey`, which wipes its bytes with its last owner. The API is asked on the loop of
// the session, and answers there.

import APIClient
import Glibc
import Reactor
import Wire

/// The keys that a session has been given.
struct SessionLogin: ~Copyable {
    /// The key of the login; nil without one.
    private(set) var key: APIKey?
    /// The place among the sessions of the key; nil without a login.
    private var share: SessionShare?
    /// What the key of the login holds; nil without one.
    private(set) var account: LoopAccount?
    /// The key that is being asked about.
    private var candidate: APIKey?
    /// The name of the key that was given last and is of no use; nil when there was none.
    private(set) var triedName: UInt64?
    /// Until when an operator wants a transcript of sessions that log in with the candidate; nil
    /// when nobody does.
    private(set) var watchedUntil: MonotonicTime?

    /// Decodes one response of an AUTH exchange, and keeps the key that it may hold as the candidate.
    /// - Parameter rules: whose sessions an operator wants to see.
    mutating func decode(
        _ response: Bytes, _ exchange: SASLExchange, watching rules: TraceRules,
        at now: MonotonicTime
    ) -> SASLResponse {
        triedName = nil
        if response.equalsIgnoringCase("*") { return .cancelled }
        let room = SASL.decodedBytesMax(response.count) + 1
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: room) { memory in
            var region = Region(memory)
            let decoded = decode(response, exchange, into: &region, Watch(rules, now))
            if let address = memory.baseAddress { explicit_bzero(address, memory.count) }
            return decoded
        }
    }

    /// Asks about the candidate.
    /// - Returns: the verdict if it is known now; else nil, and `owner` hears it later, unless
    ///   `giveUp` comes first.
    func check(
        with checker: KeyChecker, for owner: KeyCheckOwner, at peer: SocketAddress
    ) -> KeyVerdict? {
        guard let candidate else { return .unavailable(reason: "no key") }
        return checker.check(candidate, for: owner, at: peer)
    }

    /// Whether the candidate needs no question.
    func isKnownToBeGood(_ checker: KeyChecker) -> Bool {
        candidate.map { checker.knowsAsGood($0) } ?? false
    }

    /// The candidate is good: the session is logged in with it, if its key may have one more.
    /// - Parameter freeSessions: of the whole process.
    mutating func accept(_ accounts: LoopAccountTable, freeSessions: Int) -> Bool {
        guard let candidate else { return false }
        self.candidate = nil
        let account = accounts.account(for: candidate)
        guard let share = SessionShare(of: account.shared, free: freeSessions) else {
            triedName = account.shared.name
            return false
        }
        self.share = consume share
        self.account = account
        key = candidate
        return true
    }

    /// The API is asked about a candidate.
    var isChecking: Bool { candidate != nil }

    /// The candidate is of no use.
    mutating func forgetCandidate() {
        triedName = candidate?.publicHash
        candidate = nil
    }

    /// Nobody waits for the answer about the candidate any more.
    mutating func giveUp(_ checker: KeyChecker, for owner: KeyCheckOwner) {
        guard candidate != nil else { return }
        checker.cancel(owner)
        forgetCandidate()
    }

    /// The API no longer knows the key, or the session has ended.
    mutating func logOut() {
        key = nil
        account = nil
        share = nil
    }

    // MARK: Decoding

    /// Whose sessions an operator wants to see, and the time by which that is judged.
    private struct Watch {
        let rules: TraceRules
        let now: MonotonicTime

        init(_ rules: TraceRules, _ now: MonotonicTime) {
            self.rules = rules
            self.now = now
        }
    }

    private mutating func decode(
        _ response: Bytes, _ exchange: SASLExchange, into region: inout Region,
        _ watch: Watch
    ) -> SASLResponse {
        switch exchange {
        case .plain: return decodePlain(response, into: &region, watch)
        case .loginUsername:
            guard let range = SASL.login(response, into: &region) else { return .badBase64 }
            return checkUsername(region.bytes.extracting(range))
        case .loginPassword:
            guard let range = SASL.login(response, into: &region) else { return .badBase64 }
            return takeKey(region.bytes.extracting(range), watch)
        }
    }

    private mutating func decodePlain(
        _ response: Bytes, into region: inout Region, _ watch: Watch
    ) -> SASLResponse {
        switch SASL.plain(response, into: &region) {
        case .badBase64: return .badBase64
        case .badFormat: return .badFormat
        case .badAuthorizationIdentity:
            return .unusableKey(fingerprint: Self.fingerprint(response))
        case .credentials(let username, let password):
            let answer = checkUsername(region.bytes.extracting(username))
            guard answer == .username else { return answer }
            return takeKey(region.bytes.extracting(password), watch)
        }
    }

    /// The username is the same for everybody; the key says whose session it is.
    private func checkUsername(_ username: Bytes) -> SASLResponse {
        Self.isUsername(username)
            ? .username : .wrongUsername(fingerprint: Self.fingerprint(username))
    }

    /// `postscale`, also with the domain that some libraries add to a name without one.
    private static func isUsername(_ username: Bytes) -> Bool {
        username.equalsIgnoringCase("postscale")
            || username.count > 10 && username.startsIgnoringCase("postscale@")
    }

    private mutating func takeKey(_ bytes: Bytes, _ watch: Watch) -> SASLResponse {
        guard APIKey.isWellFormed(bytes) else {
            return .unusableKey(fingerprint: Self.fingerprint(bytes))
        }
        let key = APIKey(bytes)
        candidate = key
        watchedUntil = watch.rules.end(ofKey: bytes, at: watch.now)
        return .key(fingerprint: key.hash.high)
    }

    /// Swift's keyed hash, under a key of this process.
    private static func fingerprint(_ bytes: Bytes) -> UInt64 {
        var hasher = Hasher()
        bytes.withUnsafeBufferPointer { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}
