// A client's sessions for resumption: the newest for each server name, shared by all loops.

import CEpoll.TLS

/// The sessions of one client context.
final class TLSSessionCache: Sendable {
    /// Names remembered at most.
    private static let namesMax = 64

    /// Addresses of SSL_SESSIONs, of each of which the cache holds one reference.
    private let sessions = Locked<[String: UInt]>([:])

    deinit {
        sessions.withLock { $0.values.forEach { SSL_SESSION_free(OpaquePointer(bitPattern: $0)) } }
    }

    /// Takes over the caller's reference to `session`; false when it stays the caller's.
    func keep(_ session: OpaquePointer, for name: String) -> Bool {
        let bits = UInt(bitPattern: session)
        return sessions.withLock { sessions in
            if sessions[name] == nil, sessions.count >= TLSSessionCache.namesMax { return false }
            if let older = sessions.updateValue(bits, forKey: name) {
                SSL_SESSION_free(OpaquePointer(bitPattern: older))
            }
            return true
        }
    }

    /// Offers a copy of the session kept for `name`, if there is one, on `ssl`. A copy, because
    /// OpenSSL invalidates a TLS 1.3 session after its first use, and several connections may open
    /// before the first has brought a new session.
    func resume(_ name: String, on ssl: OpaquePointer) {
        let ssl = UInt(bitPattern: ssl)
        sessions.withLock { sessions in
            guard let bits = sessions[name], let session = OpaquePointer(bitPattern: bits),
                let copy = SSL_SESSION_dup(session)
            else { return }
            SSL_set_session(OpaquePointer(bitPattern: ssl), copy)
            SSL_SESSION_free(copy)
        }
    }
}
