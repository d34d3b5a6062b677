// The servers that a workload can run against. The harness starts each of them on loopback.

import Glibc
import Reactor

/// A kind of server.
protocol Target {
    /// "relay", "haproxy"…
    var name: String { get }
    /// One line for tables: what it does.
    var summary: String { get }
    /// The share of the usual number of messages that it gets: slow servers get fewer.
    var shareOfMessages: Double { get }
    /// What prevents it from running here; nil when nothing does.
    var obstacle: String? { get }
    func start(_ workspace: Workspace) throws -> RunningServer
}

extension Target {
    var shareOfMessages: Double { 1 }

    /// The first of `programs` that is not installed, as an obstacle.
    func missing(_ programs: [String]) -> String? {
        programs.first { Command.find($0) == nil }.map { "\($0) is not installed" }
    }
}

/// A server that accepts mail; stopped with its owner.
final class RunningServer {
    let address: SocketAddress
    let security: Security
    let caFile: String
    /// Costs are read after it has become quiet, because it continues to work after its reply.
    let settles: Bool
    /// The processes whose CPU and memory count.
    private let measured: [ServerProcess]
    /// The processes behind them, which do not count.
    private let helpers: [ServerProcess]
    private let group: ControlGroup?

    init(
        port: Int, security: Security = .tls, caFile: String, settles: Bool = false,
        measured: [ServerProcess], helpers: [ServerProcess], group: ControlGroup?
    ) {
        address = SocketAddress("127.0.0.1:\(port)")!
        self.security = security
        self.caFile = caFile
        self.settles = settles
        self.measured = measured
        self.helpers = helpers
        self.group = group
    }

    deinit { stop() }

    func meter(countsInstructions: Bool = false) -> ServerMeter {
        ServerMeter(
            group.map { .group($0) } ?? .processes(measured.map(\.pid)),
            countsInstructions: countsInstructions)
    }

    /// The process whose exit status shows whether the server failed.
    var mainProcess: ServerProcess { measured[0] }

    func stop(secondsMax: Int = 10) {
        for process in measured.reversed() { process.stop(secondsMax: secondsMax) }
        group?.kill()
        for process in helpers.reversed() { process.stop() }
    }
}

/// Postfix's smtp-sink: accepts everything and keeps nothing.
enum MailSink {
    static let program = "smtp-sink"

    static func start(_ workspace: Workspace) throws -> (process: ServerProcess, port: Int) {
        let port = try Workspace.freePort()
        let user = getuid() == 0 ? ["-u", "nobody"] : []
        let process = try ServerProcess(
            [program] + user + ["-m", "20000", "127.0.0.1:\(port)", "4096"],
            log: "/dev/null")
        try Workspace.waitForPort(port, of: process)
        return (process, port)
    }
}
