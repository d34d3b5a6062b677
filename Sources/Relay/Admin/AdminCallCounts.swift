// How often operators have made each call of the admin listener, and under which name it is shown.

import Reactor

/// Calls that were carried out, by kind. Belongs to the admin listener's loop.
struct AdminCallCounts: Sendable, Equatable {
    private(set) var limitsForgotten = 0
    private(set) var keysForgotten = 0
    private(set) var traces = 0
    private(set) var logLevels = 0

    /// A call is carried out.
    mutating func count(_ call: AdminCall) {
        switch call {
        case .forgetDomainLimit, .forgetKeyLimit: limitsForgotten += 1
        case .forgetKey: keysForgotten += 1
        case .trace: traces += 1
        case .setLogLevel: logLevels += 1
        }
    }

    /// Each count with the label that it has on the page.
    var labelled: [(label: String, count: Int)] {
        [
            ("forget-limit", limitsForgotten), ("forget-key", keysForgotten), ("trace", traces),
            ("log-level", logLevels),
        ]
    }
}
