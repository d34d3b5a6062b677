// The backend of the loops that tests make.

import Glibc
import Reactor

/// The backend that the environment names, else epoll; `make test-unit` runs the tests once with
/// each.
package let testBackend: BackendKind =
    getenv("POSTSCALE_TEST_BACKEND").flatMap { BackendKind(rawValue: String(cString: $0)) }
    ?? .epoll
