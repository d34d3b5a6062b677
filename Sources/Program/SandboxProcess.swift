// The sandbox API on a loop thread of its own: inside the relay (`--sandbox`), or as a process
// (`postscale-relay sandbox`).

import Glibc
import Log
import Logging
import Reactor
import Sandbox

/// Starts the sandbox's loop.
struct SandboxProcess {
    let settings: SandboxSettings
    let tls: TLSContext?
    let log: EventLog

    /// Binds and serves from a new thread.
    /// - Throws: `SystemError` that names the address; an error of the store's folder.
    func start(on backend: BackendKind = .auto) throws -> LoopGroup {
        let options = SandboxOptions(
            addresses: settings.listen, tls: tls, storeFolder: settings.storeFolder,
            slowMilliseconds: settings.slowMilliseconds, chaos: settings.chaos)
        let log = self.log
        return try LoopGroup(count: 1, backend: backend) { loop in
            try SandboxServer(loop: loop, options: options, log: log)
        }
    }

    /// Serves until SIGTERM or SIGINT.
    func run() throws {
        let group = try start()
        for address in settings.listen {
            log.event(
                .notice, "sandbox-listening",
                ["url": "\(tls == nil ? "http" : "https")://\(address)"])
        }
        _ = Signals.wait(for: [SIGTERM, SIGINT], timeoutMilliseconds: nil)
        group.stop()
        group.join()
    }
}
