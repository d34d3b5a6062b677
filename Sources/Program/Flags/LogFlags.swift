// Flags of `run` and `sandbox`: how the log looks, and what it holds.

import ArgumentParser
import Log
import Logging
import Reactor

extension LogFormat: ExpressibleByArgument {}
extension Logger.Level: @retroactive ExpressibleByArgument {}

struct LogFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How log lines on standard error look; journald: to systemd's journal, by its socket.",
            discussion: "Environment: POSTSCALE_LOG_FORMAT.", valueName: "format"))
    var logFormat: LogFormat?

    @Option(
        help: ArgumentHelp(
            "The least level that is logged: a line per message at info, per session at debug.",
            discussion: "Environment: POSTSCALE_LOG_LEVEL.", valueName: "level"))
    var logLevel: Logger.Level?

    /// Starts the log's thread. The writer must be finished at the end of the process.
    /// - Throws: `ValidationError` for an environment variable that means nothing.
    func makeLog(environment: [String: String]) throws -> (events: EventLog, writer: LogWriter) {
        let format = try logFormat ?? value(of: "POSTSCALE_LOG_FORMAT", in: environment) ?? .text
        let level = try logLevel ?? value(of: "POSTSCALE_LOG_LEVEL", in: environment) ?? .info
        let control = LogControl(level: level)
        let writer: LogWriter
        if format == .journald {
            let path = environment["POSTSCALE_JOURNAL_SOCKET"] ?? JournalEntry.usualPath
            do throws(SystemError) {
                writer = LogWriter(socket: try DatagramSocket(path: path), control: control)
            } catch {
                throw ValidationError("--log-format journald: \(error).")
            }
        } else {
            writer = LogWriter(descriptor: 2, control: control)
        }
        return (EventLog(writer: writer, format: format, control: control), writer)
    }

    private func value<Value: ExpressibleByArgument & CaseIterable>(
        of variable: String, in environment: [String: String]
    ) throws -> Value? {
        guard let text = environment[variable] else { return nil }
        guard let value = Value(argument: text) else {
            let names = Value.allValueStrings.joined(separator: ", ")
            throw ValidationError("\(variable)=\(text): give one of \(names).")
        }
        return value
    }
}
