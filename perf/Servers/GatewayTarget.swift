// The relay's job done the usual way: a short Python program on aiosmtpd, email and httpx.

import Foundation
import Glibc

/// perf/peers/gateway.py in front of the sandbox API.
struct GatewayTarget: Target {
    let name = "python"
    let summary = "Python gateway (aiosmtpd, email, httpx): the relay's job the usual way"
    let shareOfMessages = 0.1
    /// postscale-relay, for its sandbox API.
    var relayBinary: String
    /// gateway.py.
    var script: String

    /// Debian's Python packages need Debian's interpreter.
    private static let interpreter = "/usr/bin/python3"

    var obstacle: String? {
        if let missing = missing([GatewayTarget.interpreter, relayBinary]) { return missing }
        guard access(script, R_OK) == 0 else { return "\(script) is missing" }
        let check = [GatewayTarget.interpreter, "-c", "import aiosmtpd, httpx"]
        return Command.output(check) == nil ? "python3-aiosmtpd or python3-httpx is missing" : nil
    }

    func start(_ workspace: Workspace) throws -> RunningServer {
        let apiPort = try Workspace.freePort()
        let sandbox = try ServerProcess(
            [
                relayBinary, "sandbox", "--listen", "127.0.0.1:\(apiPort)", "--tls-cert",
                workspace.certificate, "--tls-key", workspace.key,
            ], log: workspace.file("sandbox.log"))
        try Workspace.waitForPort(apiPort, of: sandbox)
        let port = try Workspace.freePort()
        let group = ControlGroup(name: name)
        let gateway = try ServerProcess(
            [
                GatewayTarget.interpreter, script, "--port", "\(port)",
                "--certificate", workspace.certificate, "--key", workspace.key,
                "--api-url", "https://127.0.0.1:\(apiPort)",
            ], group: group, log: workspace.file("python.log"))
        try Workspace.waitForPort(port, of: gateway)
        return RunningServer(
            port: port, caFile: workspace.certificate, measured: [gateway], helpers: [sandbox],
            group: group)
    }
}
