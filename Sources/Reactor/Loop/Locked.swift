// A value behind a lock.
//
// `Mutex` sleeps and wakes inside the standard library, where no sanitizer sees it, so
// ThreadSanitizer reports every access under it as a race. In its builds only (`make tsan`), an
// atomic next to the mutex states the order that the lock makes; the atomic itself guards nothing.
// In other builds it would cost 2,000 instructions per message.

import Synchronization

#if THREAD_SANITIZER
    /// A `Mutex` whose order is visible to ThreadSanitizer.
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
#else
    package typealias Locked = Mutex
#endif
