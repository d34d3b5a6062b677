// `relay-perf load` and `relay-perf idle`: one scenario against any SMTP server.

import ArgumentParser
import Glibc
import Reactor

/// Flags that every scenario needs to reach the server and its process.
struct ServerFlags: ParsableArguments {
    @Option(help: ArgumentHelp("The server.", valueName: "address:port"))
    var server = "127.0.0.1:2525"

    @Option(help: ArgumentHelp("The name in its certificate.", valueName: "name"))
    var serverName = "localhost"

    @Option(help: "plain, starttls or tls.")
    var security = Security.starttls

    @Option(
        name: .customLong("ca"),
        help: ArgumentHelp("PEM file that verifies its certificate.", valueName: "file"))
    var caFile: String?

    @Option(help: "The name to log in with.")
    var username = "postscale"

    @Option(help: ArgumentHelp("API key; empty for no login.", valueName: "key"))
    var password = "ps_test_perf"

    @Option(help: "Connections log in with so many keys in turns: the key and a number from 0.")
    var keys = 1

    @Option(
        help: ArgumentHelp(
            "The server's process; it and all that it starts are metered.", valueName: "pid"))
    var pid: Int32?

    @Flag(help: "Count instructions instead of CPU time (counting disturbs the clock).")
    var instructions = false

    @Option(help: ArgumentHelp("Append the result as a line of JSON.", valueName: "file"))
    var output: String?

    @Option(help: ArgumentHelp("What the result is called in reports.", valueName: "name"))
    var name: String?

    func plan() throws -> LoadPlan {
        guard let address = SocketAddress(server) else {
            throw ValidationError("--server \(server): give address:port.")
        }
        var plan = LoadPlan(server: address)
        plan.serverName = serverName
        plan.security = security
        plan.caFile = caFile
        plan.username = username
        plan.password = password.isEmpty ? nil : password
        plan.keys = max(1, keys)
        return plan
    }

    /// nil without --pid.
    func meter() throws -> ServerMeter? {
        guard let pid else {
            if instructions { throw ValidationError("--instructions needs --pid.") }
            return nil
        }
        guard kill(pid, 0) == 0 || errno == EPERM else {
            throw ValidationError("--pid \(pid): there is no such process.")
        }
        let meter = ServerMeter(.processes([pid]), countsInstructions: instructions)
        if instructions && !meter.countsInstructions {
            writeToStandardError(
                "This machine does not count instructions (perf_event_open refused): "
                    + "CPU time is measured instead.\n")
        }
        return meter
    }

    func finish(_ result: LoadResult) throws {
        if let output { try ResultFile.append(result, to: output) }
        print(result.table())
        if !result.failures.isEmpty { throw ExitCode(1) }
    }
}

extension Security: ExpressibleByArgument {}

extension MessageMix: ExpressibleByArgument {
    init?(argument: String) { self.init(argument) }
}

struct LoadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load", abstract: "Send messages and measure what they cost.")

    @OptionGroup var server: ServerFlags

    @Option(help: "Connections at a time; in an open loop, the most that are kept.")
    var connections = 50

    @Option(help: "Messages that one connection sends.")
    var messagesPerConnection = 100

    @Option(help: "Messages that are measured.")
    var messages = 20_000

    @Option(help: "Measure for this many seconds, instead of a number of messages.")
    var duration: Double?

    @Option(help: "Messages per second, evenly spaced; without it, as fast as accepted.")
    var rate: Double?

    @Option(help: "Messages before measuring starts.")
    var warmUp = 2_000

    @Option(help: "Recipients of a message.")
    var recipients = 1

    @Option(
        name: [.customLong("size"), .customLong("mix")],
        help: "Size of a message: 4096, 60k, 5m; weighted: 4k:90,5m:10; or transactional.")
    var mix = MessageMix.fixed(bytes: 4_096)

    @Flag(help: "Send MAIL, RCPT and DATA together.")
    var pipelining = false

    @Flag(help: "Send content by BDAT, in one chunk.")
    var bdat = false

    @Flag(help: "Resume TLS sessions.")
    var resume = false

    @Option(help: "Silent logged-in connections in addition to the load.")
    var idle = 0

    @Option(help: "Connections in addition to the load that send slowly.")
    var slow = 0

    @Option(help: "Bytes per second of a slow connection.")
    var slowRate = 4_096

    @Option(help: "Connections in addition to the load that vanish in the middle of a message.")
    var vanishing = 0

    func validate() throws {
        guard connections > 0, messagesPerConnection > 0, messages > 0, warmUp >= 0,
            recipients > 0, idle >= 0, slow >= 0, slowRate > 0, vanishing >= 0
        else { throw ValidationError("Numbers must be above 0.") }
        guard duration ?? 1 > 0, duration ?? 1 < 1e6, rate ?? 1 > 0, rate ?? 1 < 1e6 else {
            throw ValidationError("--duration, --rate: above 0, below a million.")
        }
    }

    func run() throws {
        var plan = try server.plan()
        plan.connections = connections
        plan.messagesPerConnection = messagesPerConnection
        plan.messages = messages
        plan.durationMilliseconds = duration.map { Int($0 * 1_000) }
        plan.ratePerSecond = rate
        plan.warmUpMessages = warmUp
        plan.recipients = recipients
        plan.mix = mix
        plan.isPipelining = pipelining
        plan.isChunked = bdat
        plan.isResuming = resume
        plan.company = Company(
            idle: idle, slow: slow, slowBytesPerSecond: slowRate, vanishing: vanishing)
        let session = try LoadSession(
            plan: plan, meter: server.meter(), progress: Progress(title: "load"))
        try server.finish(
            session.result(
                target: server.name ?? server.server, workload: "load", series: currentDate()))
    }
}

struct IdleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "idle", abstract: "Hold logged-in connections and weigh one of them.")

    @OptionGroup var server: ServerFlags

    @Option(help: "Connections.")
    var connections = 1_000

    func run() throws {
        var plan = try server.plan()
        plan.connections = 0
        guard server.pid != nil else { throw ValidationError("--pid is needed here.") }
        // A few connections first, so that one-time allocations are not counted.
        plan.company.idle = 20
        _ = try LoadSession(plan: plan, meter: nil, isIdle: true)
            .result(target: "", workload: "warm-up")
        plan.company.idle = connections
        let session = try LoadSession(
            plan: plan, meter: server.meter(), progress: Progress(title: "idle"), isIdle: true)
        try server.finish(
            session.result(
                target: server.name ?? server.server, workload: "idle", series: currentDate()))
    }
}
