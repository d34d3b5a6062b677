// The process's entry: it calls one nonisolated function and nothing else.
//
// Swift checks the executor at every call of a closure that is formed in main-actor code, also on
// another thread; so none is formed here.

import CEpoll.Process
import Glibc
import Reactor

@main
enum EntryPoint {
    static func main() { runProcess() }
}

/// Parses the command line and runs the command; ends the process with its status.
nonisolated func runProcess() {
    // Before the first thread, because threads take both from the thread that starts them.
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
