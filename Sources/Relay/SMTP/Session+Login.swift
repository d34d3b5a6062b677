// AUTH: decodes the responses (RFC 4616, LOGIN), has keys checked, and keeps the key of the login.
//
// Decoded credentials lie in a buffer on the stack that is wiped before it goes; only the key is
// kept, in an `APIKey`. Refused logins are logged with the peer's address, for fail2ban and kin.

import APIClient
import Glibc
import Reactor
import Wire

extension Session {
    func readResponse(_ response: Bytes, _ exchange: SASLExchange) {
        let room = SASL.decodedBytesMax(response.count) + 1
        let decoded = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: room) { memory in
            var region = Region(memory)
            let decoded = decode(response, exchange, into: &region)
            if let address = memory.baseAddress { explicit_bzero(address, memory.count) }
            return decoded
        }
        let failedBefore = machine.failedLogins
        let verdict = machine.response(decoded, at: now)
        switch decoded {
        case .wrongUsername:
            worker.counters.loginsWrongUsername += 1
            perform(refusedLogin("username", since: failedBefore, verdict))
        case .unusableKey:
            worker.counters.loginsRefused += 1
            perform(refusedLogin("key", since: failedBefore, verdict))
        case .cancelled, .badBase64, .badFormat, .username, .key: perform(verdict)
        }
    }

    func checkKey() {
        guard let candidateKey else { return }
        // Who opened many connections first and guesses then is stopped here.
        guard worker.shared.abuse.mayLogIn(peer, at: now) else {
            self.candidateKey = nil
            worker.counters.loginsTurnedAway += 1
            return perform(machine.loginTurnedAway())
        }
        if let verdict = worker.keyChecker.check(candidateKey, for: self) { settleKey(verdict) }
    }

    func cancelKeyCheck() {
        guard candidateKey != nil else { return }
        worker.keyChecker.cancel(self)
        candidateKey = nil
    }

    func logIn() {
        key = candidateKey
        candidateKey = nil
        write(.authenticated)
    }

    /// The API's word on the key that was asked about.
    func settleKey(_ keyVerdict: KeyVerdict) {
        let failedBefore = machine.failedLogins
        worker.counters.loginTimes.record(
            nanoseconds: now.nanoseconds(since: machine.waitingSince))
        var verdict = machine.keyChecked(keyVerdict, at: now)
        switch keyVerdict {
        case .valid:
            worker.counters.loginsAccepted += 1
            log.event(.info, "login-accepted", session: id, ["peer": peer.host])
        case .refused:
            worker.counters.loginsRefused += 1
            verdict = refusedLogin("key", since: failedBefore, verdict)
            candidateKey = nil
        case .unavailable:
            worker.counters.loginsUnavailable += 1
            log.event(.notice, "login-unavailable", session: id, ["peer": peer.host])
            candidateKey = nil
        }
        perform(verdict)
    }

    /// Logs a refused login and counts it for its address.
    /// - Parameters:
    ///   - failedBefore: an attempt that the machine did not count is none here either.
    ///   - verdict: the machine's.
    /// - Returns: what is to be done: `verdict`, or the end when the address has failed too often.
    private func refusedLogin(
        _ reason: String, since failedBefore: Int, _ verdict: SessionVerdict
    ) -> SessionVerdict {
        log.event(.info, "login-refused", session: id, ["peer": peer.host, "reason": reason])
        guard machine.failedLogins > failedBefore else { return verdict }
        let abuse = worker.shared.abuse
        abuse.loginFailed(peer, at: now)
        return abuse.mayLogIn(peer, at: now) ? verdict : machine.loginTurnedAway()
    }

    private func decode(
        _ response: Bytes, _ exchange: SASLExchange, into region: inout Region
    ) -> SASLResponse {
        if response.equalsIgnoringCase("*") { return .cancelled }
        switch exchange {
        case .plain: return decodePlain(response, into: &region)
        case .loginUsername:
            guard let range = SASL.login(response, into: &region) else { return .badBase64 }
            return checkUsername(region.bytes.extracting(range))
        case .loginPassword:
            guard let range = SASL.login(response, into: &region) else { return .badBase64 }
            return takeKey(region.bytes.extracting(range))
        }
    }

    private func decodePlain(_ response: Bytes, into region: inout Region) -> SASLResponse {
        switch SASL.plain(response, into: &region) {
        case .badBase64: return .badBase64
        case .badFormat: return .badFormat
        case .badAuthorizationIdentity:
            return .unusableKey(fingerprint: fingerprint(response))
        case .credentials(let username, let password):
            let answer = checkUsername(region.bytes.extracting(username))
            guard answer == .username else { return answer }
            return takeKey(region.bytes.extracting(password))
        }
    }

    /// The username is the same for everybody; the key says who it is.
    private func checkUsername(_ username: Bytes) -> SASLResponse {
        username.equalsIgnoringCase("postscale")
            ? .username : .wrongUsername(fingerprint: fingerprint(username))
    }

    private func takeKey(_ bytes: Bytes) -> SASLResponse {
        guard APIKey.isWellFormed(bytes) else {
            return .unusableKey(fingerprint: fingerprint(bytes))
        }
        let key = APIKey(bytes)
        candidateKey = key
        if !isTraced, worker.shared.configuration.trace?.matches(key: bytes) == true {
            isTraced = true
            traceNote("the key matches")
        }
        return .key(fingerprint: key.hash.high)
    }

    /// Swift's keyed hash, under a key of this process.
    private func fingerprint(_ bytes: Bytes) -> UInt64 {
        var hasher = Hasher()
        bytes.withUnsafeBufferPointer { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}
