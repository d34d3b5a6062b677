// HAProxy in TCP mode: terminates TLS and passes bytes on without reading them. With `toTLS` it
// encrypts them again, as the relay must, to a second HAProxy that is not counted.

/// haproxy, with one thread.
struct HAProxyTarget: Target {
    let toTLS: Bool

    var name: String { toTLS ? "haproxy-tls" : "haproxy" }
    var summary: String {
        toTLS
            ? "HAProxy, TCP mode, TLS to TLS: no parsing, encrypts again"
            : "HAProxy, TCP mode, TLS to plain: no parsing"
    }
    var obstacle: String? { missing(["haproxy", MailSink.program]) }

    /// Each connection needs two of the descriptors that it may have.
    private var connectionsMax: Int { max(100, (descriptorLimit() - 100) / 2) }

    func start(_ workspace: Workspace) throws -> RunningServer {
        let sink = try MailSink.start(workspace)
        var helpers = [sink.process]
        var behind = "127.0.0.1:\(sink.port)"
        if toTLS {
            let port = try Workspace.freePort()
            let second = try startProxy(workspace, "behind", port: port, server: behind, nil)
            helpers.append(second)
            behind = "127.0.0.1:\(port) ssl verify required ca-file \(workspace.certificate)"
        }
        let port = try Workspace.freePort()
        let group = ControlGroup(name: name)
        let proxy = try startProxy(workspace, name, port: port, server: behind, group)
        return RunningServer(
            port: port, caFile: workspace.certificate, measured: [proxy], helpers: helpers,
            group: group)
    }

    private func startProxy(
        _ workspace: Workspace, _ name: String, port: Int, server: String, _ group: ControlGroup?
    ) throws -> ServerProcess {
        let configuration = try workspace.write(
            "\(name).cfg",
            """
            global
                nbthread 1
                maxconn \(connectionsMax)
                ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
                ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
                ssl-default-bind-curves X25519
                ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256
            defaults
                mode tcp
                maxconn \(connectionsMax)
                timeout connect 10s
                timeout client 300s
                timeout server 300s
            frontend mail
                bind 127.0.0.1:\(port) ssl crt \(workspace.certificateAndKey) backlog 4096
                default_backend behind
            backend behind
                server behind \(server)

            """)
        let process = try ServerProcess(
            ["haproxy", "-db", "-f", configuration], group: group,
            log: workspace.file("\(name).log"))
        try Workspace.waitForPort(port, of: process)
        return process
    }
}
