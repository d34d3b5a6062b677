// Flags: threads, logging, stopping.

import ArgumentParser
import Log
import Logging
import Reactor

extension BackendKind: ExpressibleByArgument {}
extension LogFormat: ExpressibleByArgument {}
extension Logger.Level: @retroactive ExpressibleByArgument {}

struct ProcessFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Event loops, one thread each (default: one per core this process may use; a control group's quota counts).",
            valueName: "count"))
    var loops: Int?

    @Option(
        help: ArgumentHelp(
            "How bytes are moved: epoll, io_uring (kernel 6.1 or newer), or auto, which is io_uring "
                + "where the kernel grants it.", valueName: "backend"))
    var backend = BackendKind.auto

    @Option(
        help: ArgumentHelp(
            "Once no more connections are accepted, how long messages in flight may take.",
            valueName: "time"))
    var drainTimeout = TimeSpan.seconds(30)

    @Option(
        help: ArgumentHelp(
            "After SIGTERM, how long connections are still accepted.",
            discussion: """
                A balancer that checks with PROXY headers of its own (LOCAL) hears 421 from then on, \
                and sends its clients elsewhere before there is nobody to accept them.
                """, valueName: "time"))
    var drainDelay = TimeSpan.seconds(0)

    @Option(
        help: ArgumentHelp(
            "Of --drain-timeout, how long a client without a message yet may go on to send one.",
            discussion: """
                For rolling restarts, where another relay listens already: a client that has just \
                connected is not sent away. Clients that wait behind a message hear 421 at once.
                """, valueName: "time"))
    var drainGrace = TimeSpan.seconds(0)

    @Option(
        help: ArgumentHelp(
            "Become this user once the ports are bound; only root can.",
            discussion: "A name or a number.", valueName: "user"))
    var user: String?

    @Option(
        help: ArgumentHelp(
            "Become this group with --user (default: the user's own).", valueName: "group"))
    var group: String?

    @Option(
        help: ArgumentHelp(
            "Answer operators and their machines here: /status, /metrics, /healthz, /readyz.",
            discussion: """
                A port alone is one of 127.0.0.1: --admin 9587. Repeatable. Without it there is no \
                such listener. Plain HTTP without a login: whoever can reach it can read it, so \
                keep it off public addresses. No two relays can share one. Environment: POSTSCALE_ADMIN.
                """, valueName: "address:port"))
    var admin: [AdminAddress] = []

    @OptionGroup var trace: TraceFlags
    @OptionGroup var log: LogFlags
}

/// Where the admin listener is: an address with its port, or a port of 127.0.0.1.
struct AdminAddress: ExpressibleByArgument, Equatable, Sendable {
    var address: SocketAddress

    init?(argument: String) {
        let text = argument.contains(":") ? argument : "127.0.0.1:\(argument)"
        guard let address = SocketAddress(text), address.port > 0 else { return nil }
        self.address = address
    }
}

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
}

extension LogFlags {
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
        // The control decides what is logged; it can change while the relay runs.
        let handler = LineLogHandler(writer: writer, format: format, level: .trace)
        let logger = Logger(label: "postscale-relay") { _ in handler }
        return (EventLog(logger: logger, control: control), writer)
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
