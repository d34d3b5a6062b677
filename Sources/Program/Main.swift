// The process's entry: it calls one nonisolated function and nothing else.
//
// Closures that are formed in main-actor code get an executor check at every call, also when they
// run on another thread; so nothing is formed here.

import CEpoll.Process
import Glibc
import Reactor

@main
enum EntryPoint {
    static func main() { runProcess() }
}

/// Parses the command line and runs the command; ends the process with its status.
nonisolated func runProcess() {
    // Before the first thread, for it holds for threads that are started later.
    _ = ck_set_no_new_privileges()
    Signals.block([SIGTERM, SIGINT])
    var command: any ParsedCommand
    do {
        command = try PostscaleRelay.parseCommand()
    } catch {
        PostscaleRelay.exit(withError: error)
    }
    do {
        try command.run()
    } catch {
        PostscaleRelay.exit(withError: error)
    }
}
