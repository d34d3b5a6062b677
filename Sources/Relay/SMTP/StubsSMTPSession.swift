// STUB of the contract (author: relay-session). Replace by the real files, one per concept.

import Reactor
import Wire

/// The live sessions of one loop, linked through the sessions themselves.
struct SessionList {
    var count: Int { 0 }
    /// Tells every session to end: idle ones get 421 now, others when their answer is out.
    func drainAll() {}
}

/// Who sends to whom, from MAIL and RCPT. Addresses lie in one buffer that is reused.
struct Envelope {
    /// Empty for the null sender.
    var sender: Range<Int> { fatalError() }
    var recipientCount: Int { fatalError() }
    /// Each address once (domain without case, local part exactly).
    func recipient(_ index: Int) -> Range<Int> { fatalError() }
    @_lifetime(borrow self)
    func bytes(_ range: Range<Int>) -> Bytes { fatalError() }
    var isSMTPUTF8: Bool { fatalError() }
    init() {}
    mutating func reset() {}
    mutating func setSender(_ path: Bytes, isSMTPUTF8: Bool) {}
    /// Returns false when the address was there already (still accepted on the wire).
    mutating func addRecipient(_ path: Bytes) -> Bool { fatalError() }
}

/// Bytes that messages in flight may hold, over all loops. DATA reserves its share before 354.
final class MemoryBudget: Sendable {
    init(bytesMax: Int) {}
    func reserve(_ bytes: Int) -> Bool { fatalError() }
    func release(_ bytes: Int) {}
    var reservedBytes: Int { fatalError() }
}

/// Per address and prefix: connections, failed logins. Bounded memory.
final class AbuseThrottle: Sendable {
    init(limits: AbuseLimits) {}
}

/// Takes new connections of one listener and makes their sessions.
final class SMTPListener: ListenerHandler {
    init(worker: Worker, isImplicitTLS: Bool) { super.init() }
}
