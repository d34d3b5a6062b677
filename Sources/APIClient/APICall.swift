// One HTTP request to the API as its owner sees it: started once, answered once.
//
// The owner makes the call, writes its body, and may abandon it. The pool notes here where the call
// is, through the methods under "The notes of the pool"; the fields can only be read elsewhere. A
// call lives on one loop.

import Reactor

/// How a call ended.
package enum APIResult {
    case response(APIResponse)
    /// Provably not acted on, and we don't try again now (retries are spent, no address, queue
    /// full, deadline).
    case notSent(reason: String)
    /// No call was made, because a limit of the API that is known lasts too long.
    case limited(RateLimit)
    /// The API may have acted.
    case uncertain(reason: String, requestID: String)
}

/// The maker of a call. Called on the loop, never during a call that the owner makes itself.
package protocol APICallOwner: AnyObject {
    /// The connection has taken enough of the body: more may be written.
    func callWantsBody(_ call: APICall)
    /// Exactly once, unless `abandon` came first. It can come before the body is complete (an
    /// early answer); the owner then discards the body.
    func callFinished(_ call: APICall, _ result: APIResult)
}

/// One HTTP request to the API, from the queue to the answer.
package final class APICall {
    package enum Kind { case send, checkKey }

    /// How fast the rest of a body that is not complete comes.
    package enum Pace {
        /// At the pace of a client that may stall.
        case slow
        /// At the pace of a client that has been fast.
        case fast
        /// Nothing has to arrive: it is there, and is written as the API reads.
        case here
    }

    /// Where the call is; the pool moves it.
    enum Place {
        case notStarted
        /// In the queue of the pool.
        case queued(CallNumber)
        case onLane(any APILane)
        /// The result is known; the owner hears it at the end of the tick at the latest.
        case finished
    }

    let kind: Kind
    package private(set) var key: APIKey
    /// Whose call it is; nil for the check of a key, and while the call rests.
    private(set) var flow: CallFlow?
    /// nil for GET.
    private(set) var body: RequestBody?
    /// nil only while the call rests.
    private(set) var owner: (any APICallOwner)?
    /// When the owner must have its result. For an upload that still arrives: `.never` until
    /// `bodyCompleted` sets it.
    private(set) var deadline: MonotonicTime
    /// Of a send whose body is not complete.
    private(set) var pace: Pace

    private(set) var place = Place.notStarted
    /// Set from `start` until the call is finished.
    private(set) var pool: ConnectionPool?
    /// When the request was both started and whole.
    private(set) var askedAt = MonotonicTime.never
    /// How often the call was put on a connection.
    private(set) var tries = 0
    /// The owner is going to hear `callWantsBody`.
    private(set) var isBodyWanted = false
    /// Nobody waits for the result any more.
    private(set) var isAbandoned = false
    /// Whether the last byte of the request has been handed to a connection.
    private(set) var isHandedOver = false
    /// Where the request ends in the bytes of that connection.
    private(set) var wireEnd: UInt64 = 0
    /// Of the answer; 0 when the call has or had none.
    package private(set) var status = 0

    /// - Parameters:
    ///   - flow: of a send, nil for the check of a key.
    ///   - body: of a send, nil for the check of a key; the call reads it until it ends.
    ///   - owner: kept until `rest`.
    ///   - deadline: when the owner must have its result; `.never` while the body still arrives.
    ///   - pace: see `Pace`; of no meaning when the body is complete.
    package init(
        kind: Kind, key: APIKey, flow: CallFlow?, body: RequestBody?, owner: any APICallOwner,
        deadline: MonotonicTime, pace: Pace = .slow
    ) {
        precondition((kind == .send) == (body != nil), "only a send has a body")
        precondition((kind == .send) == (flow != nil), "only a send has a flow")
        self.kind = kind
        self.key = key
        self.flow = flow
        self.body = body
        self.owner = owner
        self.deadline = deadline
        self.pace = pace
    }

    /// Lets go of flow, body and owner after the call has ended, until `begin`.
    package func rest() {
        flow = nil
        body = nil
        owner = nil
    }

    /// Makes a new send of one that rests. Nobody but the caller may hold this object.
    package func begin(
        key: APIKey, flow: CallFlow, body: RequestBody, owner: any APICallOwner,
        deadline: MonotonicTime, pace: Pace = .slow
    ) {
        precondition(kind == .send && self.owner == nil)
        self.key = key
        self.flow = flow
        self.body = body
        self.owner = owner
        self.deadline = deadline
        self.pace = pace
        place = .notStarted
        pool = nil
        tries = 0
        isBodyWanted = false
        isAbandoned = false
        isHandedOver = false
        status = 0
    }

    /// More was written to the body.
    package func bodyGrew() {
        if case .onLane(let lane) = place { lane.bodyGrew() }
    }

    /// Nothing was handed over for a while, because nothing was written.
    /// - Returns: whether a byte of what waits leaves, or is about to.
    package func trickle() -> Bool {
        if case .onLane(let lane) = place { lane.trickle() } else { false }
    }

    /// Nothing has to arrive of the body any more. It is not complete: the API has to read before
    /// the rest is written.
    package func bodyIsHere() {
        guard pace != .here else { return }
        pace = .here
        switch place {
        case .queued(let number): pool?.arrived(self, number)
        case .onLane(let lane): pool?.arrived(on: lane)
        case .notStarted, .finished: break
        }
    }

    /// `body.complete()` was called; the answer is due at `deadline`.
    package func bodyCompleted(deadline: MonotonicTime) {
        self.deadline = deadline
        bodyIsHere()
        if let pool { askedAt = pool.loop.now }
        switch place {
        case .queued(let number): pool?.deadlineChanged(of: self, number)
        case .onLane(let lane): lane.bodyGrew()
        case .notStarted, .finished: break
        }
    }

    /// What the call is to the queue of the pool.
    var queueKind: CallQueue.Kind {
        guard let body else { return .check }
        guard !body.isComplete else { return .complete }
        switch pace {
        case .slow: return .slowUpload
        case .fast: return .fastUpload
        case .here: return .complete
        }
    }

    /// Nobody waits any more. An unfinished body is never completed on the wire (the connection is
    /// closed); the API may still act on a finished one.
    package func abandon() {
        isAbandoned = true
        switch place {
        case .queued(let number): pool?.withdraw(self, number)
        case .onLane(let lane): lane.callAbandoned()
        case .notStarted, .finished: break
        }
    }

    // MARK: - The notes of the pool

    /// The owner has started the call in `pool`.
    func started(in pool: ConnectionPool, at now: MonotonicTime) {
        guard case .notStarted = place else { preconditionFailure("a call is started once") }
        self.pool = pool
        askedAt = now
    }

    /// The call waits for a connection.
    func queued(as number: CallNumber) { place = .queued(number) }

    /// The lane carries the call from now on.
    func carried(by lane: any APILane) {
        place = .onLane(lane)
        tries += 1
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

    /// The owner is to hear that more of the body may be written.
    /// - Returns: whether it was not going to hear it already.
    func wantBody() -> Bool {
        defer { isBodyWanted = true }
        return !isBodyWanted
    }

    /// Tells the owner that more may be written, if the call is still on its lane and somebody
    /// waits for it.
    func tellOwnerToWrite() {
        isBodyWanted = false
        if case .onLane = place, !isAbandoned { owner?.callWantsBody(self) }
    }

    /// The result is known.
    /// - Parameter status: of the answer; 0 when there is none.
    func finished(status: Int) {
        self.status = status
        place = .finished
        pool = nil
    }
}
