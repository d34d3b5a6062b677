// The calls of one customer in the pool of one loop. The pool shares its connections and the places
// of its queue between flows, not between calls, so that many calls of one customer delay nobody
// else's.

/// All calls with one API key on one loop. Lives on that loop; the pool forgets the flow with the
/// last object that holds it.
package final class CallFlow {
    /// The flow in the pool's machine.
    let number: FlowNumber
    private weak var pool: ConnectionPool?

    init(number: FlowNumber, pool: ConnectionPool) {
        self.number = number
        self.pool = pool
    }

    deinit { pool?.flowEnded(number) }
}
