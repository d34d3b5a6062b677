
import Glibc
import Reactor

/// The backend of these tests' loops; `make test-unit` runs them once with each.
package let testBackend: BackendKind =
    getenv("POSTSCALE_TEST_BACKEND").flatMap { BackendKind(rawValue: String(cString: $0)) }
    ?? .epoll
