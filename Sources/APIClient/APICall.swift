// One HTTP request to the API as its owner sees it: started once, answered once.
//
// The pool and the connection that carries the call keep their notes here; everything else about
// the call belongs to the owner. A call lives on one loop.

import Reactor

/// How a call ended.
package enum APIResult {
    case response(APIResponse)
    /// Provably not acted on, and not to be tried again by us now (retries are spent, no address,
    /// queue full, deadline).
    case notSent(reason: String)
    /// The API may have acted.
    case uncertain(reason: String, requestID: String)
}

/// Who made a call. Called on the loop, never during a call that the owner makes itself.
package protocol APICallOwner: AnyObject {
    /// The connection has taken enough of the body that more may be written.
    func callWantsBody(_ call: APICall)
    /// Exactly once, unless `abandon` came first. It can come before the body is complete (an
    /// early answer); the body is then discarded by the owner.
    func callFinished(_ call: APICall, _ result: APIResult)
}

/// One HTTP request to the API, from queue to answer.
package final class APICall {
    package enum Kind { case send, checkKey }

    /// Where the call is; the pool moves it.
    enum Place {
        case notStarted
        /// In the pool's queue under this number.
        case queued(number: Int)
        case onConnection(APIConnection)
        /// Its result is known, and told at the end of the tick at the latest.
        case finished
    }

    let kind: Kind
    package private(set) var key: APIKey
    /// nil for GET.
    private(set) var body: RequestBody?
    /// nil only while it rests.
    private(set) var owner: (any APICallOwner)?
    /// When the owner must have its result. For an upload still arriving: `.never` until
    /// `bodyCompleted` sets it.
    private(set) var deadline: MonotonicTime

    /// Set by the pool only.
    var place = Place.notStarted
    /// Set by `start`, cleared when the call is finished.
    var pool: ConnectionPool?
    /// When the request was whole, and started; set by the pool.
    var askedAt = MonotonicTime.never
    /// How often the call was put on a connection.
    var tries = 0
    /// The owner waits for `callWantsBody` already.
    var isBodyWanted = false
    /// Nobody waits any more.
    private(set) var isAbandoned = false
    /// Whether the last byte of the request has been handed to a connection.
    private(set) var isHandedOver = false
    /// Where it ends in the bytes of that connection.
    private(set) var wireEnd: UInt64 = 0

    package init(
        kind: Kind, key: APIKey, body: RequestBody?, owner: any APICallOwner, deadline: MonotonicTime
    ) {
        precondition((kind == .send) == (body != nil), "only a send has a body")
        self.kind = kind
        self.key = key
        self.body = body
        self.owner = owner
        self.deadline = deadline
    }

    /// Lets go of the others when the call has ended, until `begin`.
    package func rest() {
        body = nil
        owner = nil
    }

    /// Makes a send that rests, and that nobody else holds, a new one.
    package func begin(
        key: APIKey, body: RequestBody, owner: any APICallOwner, deadline: MonotonicTime
    ) {
        precondition(kind == .send && self.owner == nil)
        self.key = key
        self.body = body
        self.owner = owner
        self.deadline = deadline
        place = .notStarted
        pool = nil
        tries = 0
        isBodyWanted = false
        isAbandoned = false
        isHandedOver = false
    }

    /// All of the request is written to a connection, up to `wireEnd` of its bytes.
    func handedOver(wireEnd: UInt64) {
        isHandedOver = true
        self.wireEnd = wireEnd
    }

    /// The request is to be written again from its beginning.
    func rewind() {
        isHandedOver = false
        body?.rewind()
    }

    /// More was written to the body.
    package func bodyGrew() {
        if case .onConnection(let connection) = place { connection.bodyGrew() }
    }

    /// `body.complete()` was called; the answer is due at `deadline`.
    package func bodyCompleted(deadline: MonotonicTime) {
        self.deadline = deadline
        if let pool { askedAt = pool.loop.now }
        switch place {
        case .queued(let number): pool?.deadlineChanged(of: self, number: number)
        case .onConnection(let connection): connection.bodyGrew()
        case .notStarted, .finished: break
        }
    }

    /// Nobody waits any more. An unfinished body is never completed on the wire (the connection is
    /// closed); a finished one may still be acted on.
    package func abandon() {
        isAbandoned = true
        switch place {
        case .queued(let number): pool?.withdraw(self, number: number)
        case .onConnection(let connection): connection.callAbandoned()
        case .notStarted, .finished: break
        }
    }
}
