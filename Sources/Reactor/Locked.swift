// A value behind a lock, in a form that the thread sanitizer can follow.
//
// `Mutex` sleeps and wakes inside the standard library, which no sanitizer sees, so every access
// under it looks like a race. The atomic states the order that the lock makes, at the price of
// two moves; it guards nothing itself.

import Synchronization

/// A `Mutex` whose order is visible to the thread sanitizer.
package struct Locked<Value>: ~Copyable, Sendable {
    private let mutex: Mutex<Value>
    private let order = Atomic(0)

    /// Puts `value` behind a lock of its own.
    package init(_ value: consuming sending Value) { mutex = Mutex(value) }

    /// Runs `body` with the value while no one else has it.
    package borrowing func withLock<Result>(
        _ body: (inout sending Value) -> sending Result
    ) -> sending Result {
        mutex.withLock { value in
            let turn = order.load(ordering: .acquiring)
            defer { order.store(turn &+ 1, ordering: .releasing) }
            return body(&value)
        }
    }
}
