// A client's sessions for resumption, the youngest for each server name, shared by all loops.

import CEpoll.TLS
import Synchronization

/// The sessions of one client context.
final class TLSSessionCache: Sendable {
    /// Names remembered at most.
    private static let namesMax = 64

    /// Addresses of SSL_SESSIONs, of each of which the cache holds one reference.
    private let sessions = Mutex<[String: UInt]>([:])

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

    /// Offers the session kept for `name`, if there is one, on `ssl`.
    func resume(_ name: String, on ssl: OpaquePointer) {
        let ssl = UInt(bitPattern: ssl)
        sessions.withLock { sessions in
            guard let bits = sessions[name], let session = OpaquePointer(bitPattern: bits) else {
                return
            }
            if SSL_SESSION_is_resumable(session) == 1 {
                SSL_set_session(OpaquePointer(bitPattern: ssl), session)
            } else {
                sessions[name] = nil
                SSL_SESSION_free(session)
            }
        }
    }
}
