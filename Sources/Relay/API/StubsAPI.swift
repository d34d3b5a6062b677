// STUB of the contract (author: relay-api). Replace by the real files, one per concept.

import Reactor
import Wire

/// One API key in memory: wiped when the last owner lets go; never printed.
final class APIKey: @unchecked Sendable {
    /// HMAC-SHA-256 under a random key made at start, cut to 128 bits: what caches are keyed by.
    struct Hash: Hashable, Sendable { var high: UInt64, low: UInt64 }
    let hash: Hash
    init(_ bytes: Bytes) { fatalError() }
    /// Writes the key's bytes (for the Authorization header only).
    func write(into output: inout Region) -> Bool { fatalError() }
    /// Whether it can be sent in a header at all: 1 to 512 visible ASCII characters.
    static func isWellFormed(_ bytes: Bytes) -> Bool { fatalError() }
}

enum KeyVerdict: Sendable { case valid, refused, unavailable }

/// Verdicts on keys, shared by all loops: valid ones for 60 s, refused ones for 10 s, single flight.
final class KeyCache: Sendable {
    init(options: APIOptions) {}
    func forget(_ hash: APIKey.Hash) {}
}

class KeyCheckOwner: StreamHandler {
    /// The answer to a `check` that returned nil, on the owner's loop.
    func keyChecked(_ verdict: KeyVerdict) {}
}

/// Asks the cache or the API about a key, for the sessions of one loop.
final class KeyChecker {
    init(loop: Loop, cache: KeyCache, pool: ConnectionPool) {}
    /// The verdict if it is known now, else nil and `keyChecked` follows exactly once, unless
    /// `cancel` comes first.
    func check(_ key: APIKey, for owner: KeyCheckOwner) -> KeyVerdict? { fatalError() }
    func cancel(_ owner: KeyCheckOwner) {}
}

/// What a 429 said.
struct RateLimit: Sendable, Equatable {
    /// "daily", "hourly", "per minute"…: printable ASCII, at most 32 characters; empty if not said.
    var kind: String
    /// Seconds to wait as of now; nil if not said.
    var retryAfterSeconds: Int?
}

/// Which keys are throttled until when: what MAIL asks before a byte is uploaded. Bounded memory.
final class RateLimitMemory: Sendable {
    init() {}
    func limit(on key: APIKey.Hash, at now: MonotonicTime) -> RateLimit? { fatalError() }
    func record(_ limit: RateLimit, on key: APIKey.Hash, at now: MonotonicTime) {}
}

/// What became of a message; every case has its reply.
enum Outcome: Equatable {
    case accepted(messageID: [UInt8])
    /// 400: 554 and the API's own message.
    case invalidRequest(message: [UInt8])
    /// 401
    case keyRefused
    /// 403: 550 and the API's own message.
    case forbidden(message: [UInt8])
    /// 413
    case tooLarge
    /// 422
    case allSuppressed
    /// 429
    case rateLimited(RateLimit)
    /// 451; uncertain when the API may have acted.
    case unavailable(isUncertain: Bool)
    /// 554 Failed to parse message: what and where.
    case unparsable(reason: [UInt8])
    /// The API's attachment limits: 552 (size) or 554 (number), with the text.
    case attachmentLimit(isSize: Bool, reason: [UInt8])

    /// The reply to the final dot.
    func reply(isVerbose: Bool) -> Reply { fatalError() }
}

/// The bytes of one request body on their way from the mapper to an API connection.
///
/// The first slab leaves `headRoom` bytes free for the HTTP head, every slab `ChunkedEncoder
/// .headBytes` for a chunk head in front and two bytes behind, so that a whole record goes out
/// without a copy. One writer (a Submission), one reader (an API connection), one loop.
final class RequestBody {
    /// Room for the HTTP head in front of the first payload byte.
    static let headRoom = 1_536
    /// The payload of a slab ends here at the latest, so that a record is at most 16,384 bytes.
    static let payloadEnd = 16_382

    init(pool: SlabPool) {}
    /// Payload bytes written so far.
    var byteCount: Int { fatalError() }
    /// Payload bytes written and not yet handed to a connection.
    var pendingBytes: Int { fatalError() }
    var isComplete: Bool { fatalError() }
    /// Lets `body` write into the free rest of the last slab (a new one when full): at least one
    /// byte of room.
    func write<R>(_ body: (inout Region) -> R) -> R { fatalError() }
    /// Copies all of `bytes` (for short texts such as JSON punctuation).
    func append(_ bytes: Bytes) {}
    func append(_ text: StaticString) {}
    /// No more will be written.
    func complete() {}
    /// Gives all slabs back; what is written afterwards is thrown away.
    func discard() {}
}

/// How a call ended.
enum APIResult {
    case response(APIResponse)
    /// Provably not acted on, and not to be tried again by us now (retries are spent, no address,
    /// queue full, deadline).
    case notSent(reason: String)
    /// The API may have acted.
    case uncertain(reason: String, requestID: String)
}

/// A complete, strictly read answer.
struct APIResponse {
    var status: Int
    /// Printable ASCII, at most 128 characters; empty when there is none.
    var requestID: String
    var retryAfterSeconds: Int?
    /// At most 64 KiB.
    var body: [UInt8]
    /// Reads the body (three error shapes, message_id) into what it means for the message.
    func outcome() -> Outcome { fatalError() }
}

/// Who made a call. Called on the loop, never during a call that the owner makes itself.
class APICallOwner {
    /// The connection has taken enough of the body that more may be written.
    func callWantsBody(_ call: APICall) {}
    /// Exactly once, unless `abandon` came first. It can come before the body is complete (an
    /// early answer); the body is then discarded by the owner.
    func callFinished(_ call: APICall, _ result: APIResult) {}
}

/// One HTTP request to the API, from queue to answer.
final class APICall {
    enum Kind { case send, checkKey }
    let kind: Kind
    let key: APIKey
    /// nil for GET.
    let body: RequestBody?
    let owner: APICallOwner
    /// When the owner must have its result. For an upload still arriving: `.never` until
    /// `bodyCompleted` sets it.
    private(set) var deadline: MonotonicTime

    init(
        kind: Kind, key: APIKey, body: RequestBody?, owner: APICallOwner, deadline: MonotonicTime
    ) { fatalError() }
    /// More was written to the body.
    func bodyGrew() {}
    /// `body.complete()` was called; the answer is due at `deadline`.
    func bodyCompleted(deadline: MonotonicTime) {}
    /// Nobody waits any more. An unfinished body is never completed on the wire (the connection is
    /// closed); a finished one may still be acted on.
    func abandon() {}
    /// Whether the last byte of the body has been handed to a connection.
    var isHandedOver: Bool { fatalError() }
}

/// HTTP/1.1 keep-alive connections of one loop to all addresses of the API.
final class ConnectionPool {
    init(loop: Loop, options: APIOptions, tls: TLSContext?, log: EventLog) {}
    /// Sends the call when a connection is free; Content-Length when its body is complete by then,
    /// else chunked.
    func start(_ call: APICall) {}
    /// Closes idle connections and stops resolving; calls in flight finish.
    func drain() {}
    /// At least one address is believed usable.
    var isReady: Bool { fatalError() }
}
