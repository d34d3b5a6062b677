// The open sessions: from where, in which state, for how long. It shows addresses of clients and
// counts; never a key, a user's name, an envelope or content.

import Log
import Reactor
import Wire

/// One session at a moment.
struct SessionReport: Sendable {
    /// As in the log.
    var id: UInt64
    var peer: SocketAddress
    /// Index of the listener in the configuration.
    var listener: Int
    /// "TLSv1.3"; empty before the TLS handshake is done.
    var tls: String
    var isLoggedIn: Bool
    /// What it waits for, in words (`SessionMachine.Phase.words`).
    var state: String
    var openMilliseconds: Int
    /// Since a whole command or a piece of DATA came.
    var silentMilliseconds: Int
    /// Messages begun.
    var messages: Int
    /// Content of the message that is arriving or being answered.
    var contentBytes: Int
}

/// The sessions of one loop, as many as were asked for.
struct LoopSessions: Sendable {
    var total: Int
    var listed: [SessionReport]
}

extension Worker {
    /// At most `limit` of the sessions, the latest first. On the loop's thread.
    func sessionReports(_ limit: Int) -> LoopSessions {
        var listed: [SessionReport] = []
        sessions.forEach(atMost: limit) { listed.append($0.report) }
        return LoopSessions(total: sessions.count, listed: listed)
    }

    /// Begins the transcripts of the open sessions of `subject`. On the loop's thread.
    /// - Returns: how many there are.
    func follow(_ subject: TraceRules.Subject, until end: MonotonicTime) -> Int {
        var count = 0
        sessions.forEach(atMost: .max) { if $0.follow(subject, until: end) { count += 1 } }
        return count
    }
}

extension SessionMachine.Phase {
    /// What the session waits for, in words.
    var words: String {
        switch self {
        case .handshake: "handshake"
        case .commands, .asking: "command"
        case .response: "login-response"
        case .keyCheck: "key-check"
        case .loginDelay: "login-delay"
        case .lastWord: "last-word"
        case .budget: "memory"
        case .data: "data"
        case .outcome: "api-answer"
        case .closed: "closing"
        }
    }
}

/// The sessions of all loops.
struct SessionsReport {
    var total = 0
    var listed: [SessionReport] = []

    init(_ loops: [LoopSessions]) {
        for loop in loops {
            total += loop.total
            listed += loop.listed
        }
    }

    private static let columns = [
        ("session", 16), ("peer", 24), ("state", 14), ("open_s", 9), ("silent_s", 9),
        ("messages", 8), ("bytes", 10), ("tls", 7), ("login", 5),
    ]

    /// The sessions line by line, for people.
    var table: [UInt8] {
        var lines = [Self.row(Self.columns.map(\.0))]
        for session in listed {
            lines.append(
                Self.row([
                    hexadecimal(session.id), "\(session.peer)", session.state,
                    Self.seconds(session.openMilliseconds),
                    Self.seconds(session.silentMilliseconds), "\(session.messages)",
                    "\(session.contentBytes)", session.tls.isEmpty ? "-" : session.tls,
                    session.isLoggedIn ? "yes" : "no",
                ]))
        }
        lines.append("\(listed.count) of \(total) sessions")
        return Array((lines.joined(separator: "\n") + "\n").utf8)
    }

    private static func row(_ cells: [String]) -> String {
        zip(cells, columns).map { cell, column in
            cell + String(repeating: " ", count: max(0, column.1 - cell.utf8.count))
        }.joined(separator: "  ")
    }

    private static func seconds(_ milliseconds: Int) -> String {
        MetricsText.seconds(nanoseconds: UInt64(max(0, milliseconds)) * 1_000_000)
    }

    /// The same for programs.
    var json: [UInt8] {
        JSONDocument.object {
            $0.field("total", total)
            $0.array("sessions") { list in
                for session in listed {
                    list.object {
                        $0.field("session", hexadecimal(session.id))
                        $0.field("peer", "\(session.peer)")
                        $0.field("listener", session.listener)
                        $0.field("tls", session.tls)
                        $0.field("logged_in", session.isLoggedIn)
                        $0.field("state", session.state)
                        $0.field("open_ms", session.openMilliseconds)
                        $0.field("silent_ms", session.silentMilliseconds)
                        $0.field("messages", session.messages)
                        $0.field("content_bytes", session.contentBytes)
                    }
                }
            }
        }
    }
}
