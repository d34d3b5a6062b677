// postscale-relay, with its sandbox API in its own process; every feature is on, and the log is that of
// its defaults: a line per message and login, to a file of the workspace, as an operator has it.

import Foundation
import Glibc

/// postscale-relay.
struct RelayTarget: Target {
    let name: String
    let summary = "postscale-relay: MIME to JSON, posted to the API over TLS"
    /// The program.
    var binary: String
    var arguments: [String] = []
    /// Words in front of the relay's command, such as valgrind.
    var wrapper: [String] = []
    var environment: [String: String] = [:]
    /// Implicit TLS like the peers, or STARTTLS.
    var security = Security.tls

    init(name: String = "relay", binary: String, arguments: [String] = []) {
        self.name = name
        self.binary = binary
        self.arguments = arguments
    }

    /// The same with this HTTP to the API.
    func speaking(_ version: String) -> RelayTarget {
        var target = self
        target.arguments = ["--api-http", version] + arguments
        return target
    }

    /// Next to this program, where the build puts it.
    static var defaultBinary: String {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        let folder = (own.map { ($0 as NSString).deletingLastPathComponent }) ?? "."
        return "\(folder)/postscale-relay"
    }

    var obstacle: String? {
        Command.find(binary) == nil ? "\(binary) is missing: run `make perf-build`" : nil
    }

    /// All load comes from one address. An earlier build (`compare --base`) may not know such a
    /// limit.
    private var handshakeLimits: [String] {
        let flags = ["--max-handshakes-per-address", "--max-handshakes-per-prefix"]
        let help = Command.output([binary, "--help"]) ?? ""
        return flags.filter(help.contains).flatMap { [$0, "1000000000"] }
    }

    func start(_ workspace: Workspace) throws -> RunningServer {
        let apiPort = try Workspace.freePort()
        let sandbox = try ServerProcess(
            [
                binary, "sandbox", "--listen", "127.0.0.1:\(apiPort)", "--tls-cert",
                workspace.certificate, "--tls-key", workspace.key,
            ], log: workspace.file("sandbox.log"))
        try Workspace.waitForPort(apiPort, of: sandbox)
        let startTLSPort = try Workspace.freePort()
        let port = try Workspace.freePort()
        let group = ControlGroup(name: name)
        let relay = try ServerProcess(
            wrapper + [
                binary, "--hostname", "localhost", "--loops", "1",
                "--tls-cert", workspace.certificate, "--tls-key", workspace.key,
                "--listen", "127.0.0.1:\(startTLSPort)", "--listen-tls", "127.0.0.1:\(port)",
                "--api-url", "https://127.0.0.1:\(apiPort)", "--api-ca", workspace.certificate,
                "--max-connections-per-address", "50000",
                "--max-connections-per-prefix", "50000",
            ] + handshakeLimits + arguments,
            group: group, environment: environment, log: workspace.file("\(name).log"))
        try Workspace.waitForPort(port, of: relay)
        return RunningServer(
            port: security == .tls ? port : startTLSPort, security: security,
            caFile: workspace.certificate, measured: [relay], helpers: [sandbox], group: group)
    }
}
