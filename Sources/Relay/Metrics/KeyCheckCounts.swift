// What one loop counts of its questions about keys, and under which name it is shown.

import Reactor

/// Questions about keys by where their answer came from.
struct KeyCheckCounts: Sendable {
    var fromCache = 0
    var asked = 0
    /// Somebody was asking already.
    var joined = 0
}

extension KeyCheckCounts: CounterGroup {
    static let families: [CounterFamily<KeyCheckCounts>] = [
        .counters(
            "key_checks_total", "Questions about keys by who answered them.", label: "source",
            ["cache": \.fromCache, "api": \.asked, "shared": \.joined])
    ]
}
