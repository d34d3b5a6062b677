// The sandbox API on a loop and a thread of its own: inside the relay (`--sandbox`), or as a process
// (`postscale-relay sandbox`).

import Glibc
import Log
import Reactor
import Sandbox

/// Starts the sandbox's loop.
struct SandboxProcess {
    private let options: SandboxOptions
    private let log: EventLog

    init(options: SandboxOptions, log: EventLog) {
        self.options = options
        self.log = log
    }

    /// Binds and serves from a new thread.
    /// - Throws: `SystemError` that names the address; an error of the store's folder.
    func start(on backend: BackendKind = .auto) throws -> LoopGroup {
        try LoopGroup(count: 1, backend: backend) { [options, log] loop in
            try SandboxServer(loop: loop, options: options, log: log)
        }
    }

    /// Serves until SIGTERM or SIGINT.
    func run() throws {
        let group = try start()
        for address in options.addresses {
            log.event(
                .notice, "sandbox-listening",
                ["url": "\(options.tls == nil ? "http" : "https")://\(address)"])
        }
        _ = Signals.wait(for: [SIGTERM, SIGINT], timeoutMilliseconds: nil)
        group.stop()
        group.join()
    }
}
