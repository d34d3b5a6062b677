// The numbers by which the parts of one pool name calls, connections and addresses to each other.
//
// Each kind is a type, so the compiler refuses one in the place of another. A number is an index
// into a table; it is used again after its owner has gone.

/// A call in the queue of a pool, from `submit` until it leaves the queue.
struct CallNumber: Equatable {
    let value: Int
}

/// A connection of a pool, from the decision to open it until it is closed.
struct ConnectionNumber: Equatable {
    let value: Int
}

/// A call that a connection carries, from its assignment until it ends. Over HTTP/2 a connection
/// carries many.
struct LaneNumber: Equatable {
    let value: Int
}

/// An address of the API in the `AddressTable`; valid while connections to it exist.
struct AddressIndex: Equatable {
    let value: Int
}

/// The calls of one customer, from `addFlow` until `removeFlow`.
struct FlowNumber: Equatable {
    let value: Int
}
