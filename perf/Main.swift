// relay-perf: sends load to SMTP servers and reports what it costs them.
//
// The entry calls one nonisolated function, so that no closure is formed on the main actor (each
// would get an executor check at every call).

import ArgumentParser
import Foundation
import Glibc
import Reactor

@main
enum EntryPoint {
    static func main() { runPerf() }
}

nonisolated func runPerf() {
    // Blocked before any thread starts, so that only the thread below receives them: the servers
    // that we start must not outlive us.
    Signals.block([SIGTERM, SIGINT])
    Thread.detachNewThread {
        _ = Signals.wait(for: [SIGTERM, SIGINT], timeoutMilliseconds: nil)
        ServerProcess.killAll()
        _exit(130)
    }
    raiseDescriptorLimit()
    do {
        var command = try RelayPerf.parseAsRoot()
        try command.run()
    } catch {
        RelayPerf.exit(withError: error)
    }
}

/// Thousands of connections need as many descriptors, here and in the servers that we start.
private nonisolated func raiseDescriptorLimit() {
    var limit = rlimit()
    let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard getrlimit(kind, &limit) == 0 else { return }
    limit.rlim_cur = min(limit.rlim_max, 65_536)
    setrlimit(kind, &limit)
}

struct RelayPerf: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay-perf",
        abstract: "Send load to SMTP servers and measure what it costs them.",
        subcommands: [
            LoadCommand.self, IdleCommand.self, SuiteCommand.self, CompareCommand.self,
            ScaleCommand.self, ReportCommand.self, GateCommand.self,
        ])
}
