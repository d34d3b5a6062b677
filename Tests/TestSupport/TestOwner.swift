// An owner of API calls that records what it hears.

import APIClient

/// Records each result of its calls.
package final class TestOwner: APICallOwner {
    package init() {}

    package private(set) var results: [APIResult] = []
    package private(set) var wants = 0
    package var onFinished: (APIResult) -> Void = { _ in }
    package var onWanted: (APICall) -> Void = { _ in }

    package func callWantsBody(_ call: APICall) {
        wants += 1
        onWanted(call)
    }

    package func callFinished(_ call: APICall, _ result: APIResult) {
        results.append(result)
        onFinished(result)
    }

    /// The result in a few words: "202 m0-1", "not sent", "uncertain".
    package var summary: [String] {
        results.map { result in
            switch result {
            case .response(let response):
                if case .accepted(let id) = response.outcome() {
                    "\(response.status) \(String(decoding: id, as: UTF8.self))"
                } else {
                    "\(response.status)"
                }
            case .notSent: "not sent"
            case .limited: "limited"
            case .uncertain: "uncertain"
            }
        }
    }
}
