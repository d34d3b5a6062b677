// Short ways to make the values that API tests use: times, keys, options.

import APIClient
import Reactor
import Wire

extension MonotonicTime {
    /// A point in time for tests: milliseconds after one second.
    package static func at(_ milliseconds: Int) -> MonotonicTime {
        MonotonicTime(nanoseconds: 1_000_000_000).advanced(byMilliseconds: milliseconds)
    }
}

extension APIKey {
    package convenience init(text: String) {
        let bytes = Array(text.utf8)
        self.init(bytes.span)
    }
}

extension APIOptions {
    package static func plain(port: UInt16) -> APIOptions {
        APIOptions(
            endpoint: APIEndpoint(
                isTLS: false, host: "127.0.0.1", port: port, basePath: "",
                authority: "127.0.0.1:\(port)"))
    }
}
