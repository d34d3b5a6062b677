// STUB of the contract (author: the lead). One line a session event; never blocks a loop.

import Logging

/// The relay's log: structured events through swift-log, queued to a thread that writes them.
final class EventLog: Sendable {
    let logger: Logger
    init(logger: Logger) { self.logger = logger }

    /// Logs one event. `fields` is evaluated only when the level is enabled. Values are escaped by
    /// the handler; never pass a key or any part of a body.
    func event(
        _ level: Logger.Level, _ name: StaticString, session: UInt64 = 0,
        _ fields: @autoclosure () -> KeyValuePairs<StaticString, String> = [:]
    ) {}
}
