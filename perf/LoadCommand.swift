// `relay-perf load`: a closed loop of messages, and what one of them cost the server.

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

    @Option(help: ArgumentHelp("API key; empty for no login.", valueName: "key"))
    var password = "ps_test_perf"

    @Option(help: ArgumentHelp("The server's process, for CPU and memory.", valueName: "pid"))
    var pid: Int32?

    @Flag(help: "Count instructions instead of CPU time (counting disturbs the clock).")
    var instructions = false

    func plan() throws -> LoadPlan {
        guard let address = SocketAddress(server) else {
            throw ValidationError("--server \(server): give address:port.")
        }
        return LoadPlan(
            server: address, serverName: serverName, security: security, caFile: caFile,
            password: password.isEmpty ? nil : password, connections: 1, messagesPerConnection: 1,
            recipients: 1, messageBytes: 4_096, isPipelining: false, warmUpMessages: 0, messages: 1)
    }
}

extension Security: ExpressibleByArgument {}

struct LoadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load", abstract: "Send messages as fast as they are accepted.")

    @OptionGroup var server: ServerFlags

    @Option(help: "Connections at a time.")
    var connections = 50

    @Option(help: "Messages that one connection sends.")
    var messagesPerConnection = 100

    @Option(help: "Messages in all, after the warm-up.")
    var messages = 20_000

    @Option(help: "Messages before measuring starts.")
    var warmUp = 2_000

    @Option(help: "Recipients of a message.")
    var recipients = 1

    @Option(help: "Bytes of a message.")
    var size = 4_096

    @Flag(help: "Send MAIL, RCPT and DATA together.")
    var pipelining = false

    @Flag(help: "Print one JSON line instead of a table.")
    var json = false

    func run() throws {
        var plan = try server.plan()
        plan.connections = connections
        plan.messagesPerConnection = messagesPerConnection
        plan.messages = messages
        plan.warmUpMessages = warmUp
        plan.recipients = recipients
        plan.messageBytes = size
        plan.isPipelining = pipelining
        let meter = server.pid.map {
            ProcessMeter(pid: $0, countsInstructions: server.instructions)
        }
        if server.instructions && meter?.countsInstructions != true {
            throw ValidationError(
                "--instructions: this machine does not count them (perf_event_open refused), or "
                    + "--pid is missing. Run the server under valgrind --tool=callgrind instead.")
        }
        let loop = try Loop(index: 0, backend: .auto)
        var before = ProcessReading()
        var start = MonotonicTime.readClock()
        let run = try LoadRun(loop: loop, plan: plan) {
            start = .readClock()
            before = meter?.read() ?? ProcessReading()
        } whenDone: {
            loop.stop()
        }
        run.start()
        loop.run()
        let seconds = Double(MonotonicTime.readClock().milliseconds(since: start)) / 1_000
        let report = LoadReport(
            run: run, seconds: seconds, before: before, after: meter?.read(),
            showsInstructions: server.instructions)
        print(json ? report.json() : report.table())
        if !run.failures.isEmpty { throw ExitCode(1) }
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
        plan.connections = connections
        guard let pid = server.pid else { throw ValidationError("--pid is needed here.") }
        let meter = ProcessMeter(pid: pid, countsInstructions: false)
        try warmUp(plan)
        let before = meter.read()
        let loop = try Loop(index: 0, backend: .auto)
        var after: ProcessReading?
        var run: LoadRun?
        run = try LoadRun(loop: loop, plan: plan, isIdle: true) {
            after = meter.read()
            run?.endAll()
        } whenDone: {
            loop.stop()
        }
        run?.start()
        loop.run()
        guard let after, run?.failures.isEmpty == true else {
            throw ValidationError("connections failed: \(run?.failures ?? [:])")
        }
        let bytes = after.privateDirty - before.privateDirty
        print(
            "\(connections) idle connections: \(bytes / connections) bytes of private memory each")
    }

    /// A few connections first, so that what is allocated once is not counted.
    private func warmUp(_ plan: LoadPlan) throws {
        var plan = plan
        plan.connections = 20
        let loop = try Loop(index: 0, backend: .auto)
        var run: LoadRun?
        run = try LoadRun(loop: loop, plan: plan, isIdle: true) {
            run?.endAll()
        } whenDone: {
            loop.stop()
        }
        run?.start()
        loop.run()
    }
}
