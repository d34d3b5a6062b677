// relay-perf: loads an SMTP server and says what that cost the server.
//
// The entry calls one nonisolated function, so that no closure is formed on the main actor (each
// would get an executor check at every call).

import ArgumentParser
import Glibc
import Reactor

@main
enum EntryPoint {
    static func main() { runPerf() }
}

nonisolated func runPerf() {
    Signals.block([SIGTERM, SIGINT])
    do {
        var command = try RelayPerf.parseAsRoot()
        try command.run()
    } catch {
        RelayPerf.exit(withError: error)
    }
}

struct RelayPerf: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay-perf",
        abstract: "Load an SMTP server and measure what it costs.",
        subcommands: [LoadCommand.self, IdleCommand.self])
}
