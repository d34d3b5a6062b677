// The relay's own log lines among those of the simulation, with the time of the simulated clock.

import Log
import Logging
import Mapping

/// A log handler that writes to the trace.
struct SimulatedLog: LogHandler, @unchecked Sendable {
    let world: World
    var logLevel = Logger.Level.debug
    var metadata: Logger.Metadata = [:]

    static func make(_ world: World) -> EventLog {
        nonisolated(unsafe) let world = world
        return EventLog(logger: Logger(label: "simulation") { _ in SimulatedLog(world: world) })
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = (event.metadata ?? [:]).map { "\($0.key)=\($0.value)" }.sorted()
        world.trace.say(world, "  log: \(event.message) \(fields.joined(separator: " "))")
    }
}
