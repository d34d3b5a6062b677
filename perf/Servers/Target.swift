// Servers that a workload can be run against, each started by the harness on loopback.

import Glibc
import Reactor

/// A kind of server.
protocol Target {
    /// "relay", "haproxy"…
    var name: String { get }
    /// One line for tables: what it does.
    var summary: String { get }
    /// Which of the usual number of messages it is given: slow ones get fewer.
    var shareOfMessages: Double { get }
    /// What keeps it from running here; nil when nothing does.
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
    /// Costs are read when it has become quiet, because it works on behind its reply.
    let settles: Bool
    /// CPU and memory of these count.
    private let measured: [ServerProcess]
    /// What stands behind them does not.
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

    /// The process whose exit says that nothing went wrong.
    var mainProcess: ServerProcess { measured[0] }

    func stop(secondsMax: Int = 10) {
        for process in measured.reversed() { process.stop(secondsMax: secondsMax) }
        group?.kill()
        for process in helpers.reversed() { process.stop() }
    }
}

/// Postfix's sink: accepts everything, keeps nothing.
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
