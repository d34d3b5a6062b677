// What the sandbox has seen; `GET /sandbox/stats` shows it, and tests go by it.

import HTTPServer
import Wire

/// Counts since the sandbox began.
struct SandboxStatistics {
    private var connections = 0
    private var connectionsOpen = 0
    private var requests = 0
    /// Requests whose connection ended inside them; nothing came of them.
    private var incomplete = 0
    /// Answers with a status of 400 and above.
    private var refused = 0
    private var bodyBytes = 0

    mutating func note(_ event: HTTPEvent) {
        switch event {
        case .opened(let count):
            connections += 1
            connectionsOpen = count
        case .closed(let count): connectionsOpen = count
        case .content(let bytes): bodyBytes += bytes
        case .incomplete: incomplete += 1
        case .decided: break
        }
    }

    /// A request's head has come.
    mutating func requestBegan() { requests += 1 }

    /// An answer leaves.
    mutating func answered(_ status: Int) {
        if status >= 400 { refused += 1 }
    }

    /// - Parameter accepted: messages, from the store, which numbers them.
    func write(accepted: Int, to json: inout JSONDocument) {
        json.field("connections", connections)
        json.field("connections_open", connectionsOpen)
        json.field("requests", requests)
        json.field("incomplete", incomplete)
        json.field("accepted", accepted)
        json.field("refused", refused)
        json.field("body_bytes", bodyBytes)
    }
}
