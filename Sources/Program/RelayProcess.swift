// The relay as a process: certificates, sandbox, loops, signals, drain.
//
// Everything that can fail at start fails before the first client is accepted, with the file or
// address that is to blame. After that only signals end it.

import APIClient
import ArgumentParser
import CEpoll.Process
import Glibc
import Log
import Logging
import Reactor
import Relay

/// One run of the relay, from checked settings to exit.
struct RelayProcess {
    private let settings: RelaySettings
    private let serverTLS: TLSContext
    private let clientTLS: TLSContext?
    private let tickets = TLSTickets()
    private let service = ServiceManager(environment: processEnvironment())
    private let log: EventLog

    /// Loads certificates and the trust store; starts nothing.
    /// - Throws: `TLSError` that names the file.
    init(settings: RelaySettings, log: EventLog) throws {
        self.settings = settings
        self.log = log
        let configuration = settings.configuration
        try tickets.use(try settings.readTicketKeys())
        serverTLS = try settings.loadCertificates(sealing: tickets)
        clientTLS =
            configuration.api.endpoint.isTLS
            ? try TLSContext.client(caFile: configuration.api.caFile) : nil
        try Self.checkFolder(configuration.temporaryFolder)
    }

    /// Writes the server certificate (never its key) as PEM.
    func writeCertificate(to file: String) throws {
        guard let text = serverTLS.certificatePEM, let stream = fopen(file, "w") else {
            throw ValidationError(
                "--write-certificate \(file): \(String(cString: strerror(errno)))")
        }
        fputs(text, stream)
        fclose(stream)
    }

    /// Serves until SIGTERM or SIGINT, then drains. SIGHUP has the settings read again.
    /// - Throws: `SystemError` when a socket can't be bound.
    func run(reader: SettingsReader) throws {
        let shared = Shared(
            configuration: withinDescriptors(settings.configuration), serverTLS: serverTLS,
            clientTLS: clientTLS, log: log)
        try forbidCoreDumps()
        let backend = try chooseBackend()
        var sandbox: LoopGroup?
        var admin: LoopGroup?
        let roster = WorkerRoster()
        let group: LoopGroup
        do {
            group = try LoopGroup(
                count: settings.configuration.loops, backend: backend,
                setUp: { loop in
                    let worker = try Worker(
                        loop: loop, shared: shared, listening: shared.configuration)
                    roster.enter(worker)
                    return worker
                },
                whenReady: {
                    try becomeUnprivileged()
                    sandbox = try Self.alone("--sandbox-listen") {
                        try settings.sandbox.map {
                            try SandboxProcess(settings: $0, tls: nil, log: log).start(on: backend)
                        }
                    }
                    admin = try Self.alone("--admin") {
                        try startAdmin(shared, roster, backend)
                    }
                })
        } catch let error as SystemError where error.errno == EACCES {
            throw ValidationError(
                "\(error). Ports below 1024 need root or the capability: "
                    + "setcap cap_net_bind_service=+ep postscale-relay.")
        }
        announce(backend)
        let reload = Reload(reader: reader, shared: shared, roster: roster, tickets: tickets)
        service.ready(status: status)
        serve(roster, reload)
        service.stopping()
        drain(group, shared, roster)
        for others in [admin, sandbox] {
            others?.stop()
            others?.join()
        }
    }

    /// Starts what binds addresses that no two relays can share.
    /// - Throws: `ValidationError` that names the flag when somebody has the address already.
    private static func alone(
        _ flag: String, _ start: () throws -> LoopGroup?
    ) throws -> LoopGroup? {
        do { return try start() } catch let error as SystemError where error.errno == EADDRINUSE {
            throw ValidationError(
                "\(flag): \(error). Another relay's? Each relay of a host needs one of its own.")
        }
    }

    /// The admin listener on a thread of its own, if it is asked for.
    private func startAdmin(
        _ shared: Shared, _ roster: WorkerRoster, _ backend: BackendKind
    ) throws -> LoopGroup? {
        let addresses = settings.configuration.admin
        guard !addresses.isEmpty else { return nil }
        let context = AdminContext(
            addresses: addresses, backend: backend, shared: shared, roster: roster,
            startedAt: Int64(time(nil)))
        let group = try AdminServer.start(context)
        for address in addresses {
            log.event(
                address.isLoopback ? .notice : .warning, "admin-listening",
                ["url": "http://\(address)/", "reach": address.isLoopback ? "host" : "network"])
        }
        return group
    }

    /// The ports are bound and nobody has been accepted yet: root's rights are not needed any more.
    private func becomeUnprivileged() throws {
        if let identity = settings.identity {
            try identity.assume()
            try forbidCoreDumps()
            try Self.checkFolder(settings.configuration.temporaryFolder)
        }
        if geteuid() == 0 { log.event(.warning, "running-as-root") }
    }

    /// Keeps keys out of core dumps and from other processes of the same user.
    private func forbidCoreDumps() throws {
        guard ck_set_undumpable() == 0 else {
            throw SystemError(operation: "forbid core dumps", errno: errno)
        }
    }

    /// The same with as many sessions and API connections as there are descriptors for.
    private func withinDescriptors(_ configuration: Configuration) -> Configuration {
        let limit = descriptorLimit()
        let budget = DescriptorBudget(
            limit: limit, loops: configuration.loops, listeners: configuration.listeners.count,
            apiConnectionsMax: configuration.api.connectionsMax,
            others: configuration.admin.isEmpty ? 0 : AdminServer.descriptorsMax)
        log.event(
            .info, "descriptors",
            [
                "limit": "\(limit)", "sessions": "\(budget.sessionsMax)",
                "api_connections": "\(budget.apiConnectionsMax)",
            ])
        var configuration = configuration
        configuration.sessionsMax = budget.sessionsMax
        configuration.api.connectionsMax = budget.apiConnectionsMax
        return configuration
    }

    /// Until SIGTERM or SIGINT.
    private func serve(_ roster: WorkerRoster, _ reload: Reload) {
        while true {
            let signal = Signals.wait(
                for: [SIGTERM, SIGINT, SIGHUP], timeoutMilliseconds: service.beatMilliseconds)
            switch signal {
            case nil: service.beat(roster)
            case SIGHUP:
                service.reloading()
                reload.perform()
                service.ready(status: status)
            default: return
            }
        }
    }

    /// Goes on accepting for a while; a signal ends that.
    private func waitForBalancers(_ shared: Shared) {
        shared.isLeaving.store(true, ordering: .relaxed)
        var left = settings.configuration.drainDelayMilliseconds
        if left > 0 { log.event(.notice, "leaving", ["delay_ms": "\(left)"]) }
        while left > 0 {
            let pause = min(left, service.beatMilliseconds ?? left)
            guard Signals.wait(for: [SIGTERM, SIGINT], timeoutMilliseconds: pause) == nil else {
                return
            }
            service.beat()
            left -= pause
        }
    }

    /// For `systemctl status`.
    private var status: String {
        "\(settings.configuration.listeners.count) listeners, API "
            + "\(settings.configuration.api.endpoint)"
    }

    private func drain(_ group: LoopGroup, _ shared: Shared, _ roster: WorkerRoster) {
        waitForBalancers(shared)
        let limit = settings.configuration.drainTimeoutMilliseconds
        log.event(.notice, "draining", ["timeout_ms": "\(limit)"])
        roster.drainAll()
        let start = MonotonicTime.readClock()
        var isForced = false
        while roster.liveCount > 0 && !isForced {
            let elapsed = MonotonicTime.readClock().milliseconds(since: start)
            let signal = Signals.wait(for: [SIGTERM, SIGINT], timeoutMilliseconds: 20)
            isForced = signal != nil || elapsed >= limit
            service.beat()
        }
        if isForced { log.event(.warning, "drain-cut-short") }
        group.stop()
        group.join()
        log.event(.notice, "stopped")
    }

    /// What `--backend` comes to here; says so when `auto` is not given what it would take.
    /// - Throws: `ValidationError` when io_uring is asked for and refused.
    private func chooseBackend() throws -> BackendKind {
        let configuration = settings.configuration
        do throws(SystemError) {
            let choice = try BackendChoice(
                configuration.backend, loopCount: configuration.loops)
            if let reason = choice.refusal {
                log.event(.notice, "io-uring-refused", ["reason": reason, "backend": "epoll"])
            }
            return choice.kind
        } catch {
            throw ValidationError(
                "--backend io_uring: \(BackendChoice.explanation(of: error)). "
                    + "--backend epoll works on every kernel.")
        }
    }

    private func announce(_ backend: BackendKind) {
        let configuration = settings.configuration
        for listener in configuration.listeners {
            log.event(
                .notice, "listening",
                [
                    "address": "\(listener.address)",
                    "tls": listener.isImplicitTLS ? "implicit" : "starttls",
                ])
        }
        log.event(
            .notice, "ready",
            [
                "version": RelayVersion.current, "loops": "\(configuration.loops)",
                "backend": backend.rawValue,
                "api": configuration.api.endpoint.description,
            ])
        if settings.sandbox != nil {
            print(SandboxBanner.text(for: configuration))
            fflush(nil)
        }
    }

    /// What `--check-config` prints.
    func summary() -> String {
        let configuration = settings.configuration
        var lines = ["The configuration is valid."]
        lines += configuration.listeners.map {
            "listen   \($0.address) \($0.isImplicitTLS ? "TLS" : "STARTTLS")"
        }
        lines.append("hostname \(configuration.hostname)")
        lines.append("api      \(configuration.api.endpoint.description)")
        lines.append("loops    \(configuration.loops)")
        if let identity = settings.identity { lines.append("user     \(identity)") }
        lines.append("memory   \(ByteSize(bytes: configuration.memoryBudgetBytes)) for messages")
        if let end = serverTLS.notAfter {
            lines.append(
                "tls      certificate valid until "
                    + Timestamp.text(seconds: Int(end), milliseconds: 0))
            for names in serverTLS.servedNames {
                lines.append("tls      " + names.joined(separator: " "))
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func checkFolder(_ folder: String) throws {
        guard access(folder, W_OK | X_OK) == 0 else {
            let reason = String(cString: strerror(errno))
            throw ValidationError("--temporary-folder \(folder): \(reason).")
        }
    }
}

extension APIEndpoint: CustomStringConvertible {
    package var description: String { "\(isTLS ? "https" : "http")://\(authority)\(basePath)" }
}

extension ByteSize: CustomStringConvertible {
    var description: String { defaultValueDescription }
}
