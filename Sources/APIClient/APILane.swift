// What carries calls, as the calls and their pool see it: an HTTP/1.1 connection carries one call at a
// time and is its lane; an HTTP/2 connection has a lane for each stream (RFC 9113).
//
// A lane promises that an unfinished upload can never look finished to the API, and it never decides
// whether a request is sent again (`RetryRule` does).

import Reactor

/// What carries one call. All methods are called on the loop; they may end the call.
protocol APILane: AnyObject {
    /// The lane in the pool's machine, while it carries a call.
    var number: LaneNumber { get }

    /// The owner wrote more of the body, or completed it.
    func bodyGrew()

    /// The client of an unfinished upload is silent: sends a byte of what waits, so that nothing in
    /// front of the API takes the upload for dead. Not while the API is what is waited for.
    /// - Returns: whether it was made ready.
    func trickle() -> Bool

    /// The line to the API is free for the slab that waits.
    func writeInTurn()

    /// Nobody waits for the call any more. The API may still act on a request that was handed over
    /// whole. Any other request is cut off, so that it can't look complete.
    func callAbandoned()

    /// Others need the lane, and the call's message has not arrived whole, so the API can't have
    /// acted on it.
    func breakOffUpload()
}

/// An open connection of a pool.
protocol APITransport: AnyObject {
    /// Carries `call` from now on. The call may have ended when this returns.
    func begin(_ call: APICall, as number: LaneNumber)

    /// The lane that carries a call under this number; nil when none does.
    func lane(_ number: LaneNumber) -> (any APILane)?

    /// Closes a connection that carries no call.
    func close()
}
