// One line for each event that an operator would ask about, through swift-log. What is logged for
// every message or login goes through `LoopLog`, which costs next to nothing.
//
// The caller's thread formats, and a thread of its own writes (LogWriter), so a slow terminal or a
// full pipe never blocks a loop. Keys and bodies are never passed in here.

import Logging

/// The relay's log: named events with fields.
package final class EventLog: Sendable {
    private let logger: Logger
    /// Which levels are logged.
    package let control: LogControl
    /// Where the lines of loops go past swift-log; nil for a log that is swift-log's alone.
    let direct: (writer: LogWriter, format: LogFormat)?

    /// A log that is swift-log's alone.
    /// - Parameter control: nil for the logger's own level.
    package init(logger: Logger, control: LogControl? = nil) {
        self.logger = logger
        self.control = control ?? LogControl(level: logger.logLevel)
        direct = nil
    }

    /// A log that `writer` writes.
    /// - Parameter control: what is logged, and what the writer counts dropped lines in.
    package init(writer: LogWriter, format: LogFormat, control: LogControl) {
        // The control decides what is logged, because it can change while the relay runs.
        let handler = LineLogHandler(writer: writer, format: format, level: .trace)
        logger = Logger(label: "postscale-relay") { _ in handler }
        self.control = control
        direct = (writer, format)
    }

    /// Logs less or more from now on, and says so.
    package func change(to level: Logger.Level) {
        let old = control.level
        control.level = level
        guard level != old else { return }
        // This is written at any level: a log that has become silent says since when.
        logger.log(
            level: .notice, "log-level",
            metadata: ["level": .string(level.rawValue), "was": .string(old.rawValue)])
    }

    /// A log that throws everything away; for tests.
    package static func silent() -> EventLog {
        EventLog(logger: Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Writes one event.
    /// - Parameters:
    ///   - name: what happened, in words that never change, because people search for them.
    ///   - session: the session's id; 0 for events outside a session.
    ///   - message: the number of the message in its session; 0 for events of no message.
    ///   - fields: evaluated only when the level is logged. Values may hold what a peer sent (the
    ///     formatter escapes them), but never a key or a part of a body.
    ///   - optional: more fields; those whose value is empty are left out.
    package func event(
        _ level: Logger.Level, _ name: StaticString, session: UInt64 = 0, message: Int = 0,
        _ fields: @autoclosure () -> KeyValuePairs<StaticString, String> = [:],
        optional: @autoclosure () -> KeyValuePairs<StaticString, String> = [:]
    ) {
        guard control.allows(level) else { return }
        var metadata = Logger.Metadata()
        if session != 0 { metadata["session"] = .string(hexadecimal(session)) }
        if message != 0 { metadata["message"] = .string("\(message)") }
        for (key, value) in fields() { metadata[key.description] = .string(value) }
        for (key, value) in optional() where !value.isEmpty {
            metadata[key.description] = .string(value)
        }
        write(level, name, metadata)
    }

    /// Hands an event to swift-log, whatever its level.
    func write(_ level: Logger.Level, _ name: StaticString, _ fields: Logger.Metadata) {
        logger.log(level: level, "\(name)", metadata: fields)
    }
}

/// Sixteen lower-case digits.
package func hexadecimal(_ value: UInt64) -> String {
    String(unsafeUninitializedCapacity: 16) { digits in
        for place in 0..<16 {
            let digit = UInt8(truncatingIfNeeded: value >> UInt64(60 - 4 * place)) & 0xF
            digits.initializeElement(at: place, to: digit < 10 ? 0x30 + digit : 0x57 + digit)
        }
        return 16
    }
}
