// The relay as a process, from checked settings to exit: certificates, loops, sandbox, signals.
//
// Everything that can fail at start fails before the first client is accepted, and the error names
// the file or address. After that only signals end the process.

import APIClient
import ArgumentParser
import Glibc
import LedgerFile
import LedgerServer
import Log
import Logging
import Reactor
import Relay

/// One run of the relay.
struct RelayProcess {
    private let settings: RelaySettings
    private let serverTLS: TLSContext
    private let clientTLS: TLSContext?
    private let http1TLS: TLSContext?
    private let tickets = TLSTickets()
    private let service = ServiceManager(environment: processEnvironment())
    private let rights: ProcessRights
    private let temporary: TemporaryFolder
    private let log: EventLog

    /// Loads certificates and the trust store; starts nothing.
    /// - Throws: `TLSError` that names the file.
    init(settings: RelaySettings, log: EventLog) throws {
        let configuration = settings.configuration
        self.settings = settings
        self.log = log
        rights = ProcessRights(identity: settings.identity, log: log)
        temporary = TemporaryFolder(
            flag: configuration.messages.temporaryFolder,
            bytesMax: configuration.messages.temporaryBytesMax, environment: processEnvironment(),
            log: log)
        try tickets.use(try configuration.reloadable.readTicketKeys())
        serverTLS = try configuration.reloadable.loadCertificates(
            hostname: configuration.hostname, groups: configuration.tlsGroups, sealing: tickets)
        clientTLS = try Self.clientTLS(configuration, offering: configuration.api.http)
        http1TLS =
            configuration.api.http == .auto
            ? try Self.clientTLS(configuration, offering: .http11) : nil
        try temporary.checkFlag()
    }

    /// For connections to the API; nil for plain HTTP.
    private static func clientTLS(
        _ configuration: Configuration, offering http: APIHTTPChoice
    ) throws -> TLSContext? {
        guard configuration.api.endpoint.isTLS else { return nil }
        return try TLSContext.client(
            caFile: configuration.api.caFile, protocols: http.offered,
            groups: configuration.tlsGroups)
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

    /// What `--check-config` prints.
    /// - Throws: `ValidationError` or `TLSError` for the files of the ledger, which are read last.
    func checked() throws -> String {
        _ = try makeLedger()
        return ProcessSummary(settings).text(serverTLS)
    }

    /// Serves until SIGTERM or SIGINT, then drains. At SIGHUP the settings are read again.
    /// - Throws: `SystemError` when a socket can't be bound.
    func run(reader: SettingsReader) throws {
        let ledger = try makeLedger()
        let shared = Shared(
            configuration: withinDescriptors(settings.configuration), serverTLS: serverTLS,
            clientTLS: clientTLS, http1TLS: http1TLS, log: log, ledgerHome: ledger)
        try rights.forbidCoreDumps()
        let backend = try chooseBackend()
        let roster = WorkerRoster()
        var companions: [LoopGroup] = []
        let group = try startLoops(shared, roster, backend) {
            try rights.giveUpRoot()
            // As the user that the relay runs as, and before the first client.
            try temporary.open(for: shared.temporary, hasNewUser: settings.identity != nil)
            ledger.start()
            companions += try startCompanions(shared, roster, backend)
        }
        announce(backend)
        let reload = Reload(reader: reader, shared: shared, roster: roster, tickets: tickets)
        serve(roster, reload)
        service.stopping()
        ProcessDrain(options: settings.configuration.drain, service: service, log: log)
            .run(group, shared, roster)
        for companion in companions {
            companion.stop()
            companion.join()
        }
        ledger.close()
    }

    // MARK: Start

    /// Where records are kept that outlive connections; not opened yet.
    /// - Throws: `ValidationError` or `TLSError` that names the file of credentials or authorities.
    private func makeLedger() throws -> any LedgerHome {
        let messages = settings.configuration.messages
        switch messages.ledger {
        case .memory: return MemoryLedger()
        case .file(let path):
            return FileLedger(options: FileLedger.Options(path: path), log: log)
        case .server(let address):
            var options = ServerLedgerOptions(address: address)
            options.credentials = try Self.credentials(of: address)
            options.duplicateMilliseconds = messages.duplicateWindowMilliseconds
            options.groupMilliseconds = messages.groupWindowMilliseconds
            options.apiTimeoutMilliseconds = settings.configuration.api.timeoutMilliseconds
            options.dnsMilliseconds = settings.configuration.api.dnsTTLMilliseconds
            return try ServerLedger(options: options, log: log)
        }
    }

    /// Read as the user that starts the process, which may be root.
    static func credentials(of address: LedgerServerAddress) throws -> LedgerCredentials {
        guard let path = address.credentialsFile else { return LedgerCredentials() }
        let file: [UInt8]
        do { file = try SmallFile.read(path, bytesMax: 65_536) } catch {
            throw ValidationError("--ledger-credentials \(error)")
        }
        guard let credentials = LedgerCredentials(file) else {
            throw ValidationError(
                "--ledger-credentials \(path): lines are user=…, password=… or secret=….")
        }
        return credentials
    }

    /// The loops with their workers, whose ports are bound.
    /// - Parameter whenReady: called once all ports are bound, before a client is accepted.
    private func startLoops(
        _ shared: Shared, _ roster: WorkerRoster, _ backend: BackendKind,
        whenReady: () throws -> Void
    ) throws -> LoopGroup {
        do {
            return try LoopGroup(
                count: settings.configuration.loops, backend: backend,
                setUp: { loop in
                    let worker = try Worker(
                        loop: loop, shared: shared, listening: shared.configuration)
                    roster.enter(worker)
                    return worker
                }, whenReady: whenReady)
        } catch let error as SystemError where error.errno == EACCES {
            throw ValidationError(
                "\(error). Ports below 1024 need root or the capability: "
                    + "setcap cap_net_bind_service=+ep postscale-relay.")
        } catch let error as SystemError
            where error.errno == EADDRINUSE || error.errno == EADDRNOTAVAIL
        {
            throw ValidationError("\(error). `postscale-relay check` looks at each port.")
        }
    }

    /// The admin listener and the sandbox, each on a thread of its own, as far as they are asked for.
    /// They end after the loops, in this order.
    private func startCompanions(
        _ shared: Shared, _ roster: WorkerRoster, _ backend: BackendKind
    ) throws -> [LoopGroup] {
        let sandbox = try Self.alone("--sandbox-listen") {
            try settings.sandbox.map {
                try SandboxProcess(options: $0, log: log).start(on: backend)
            }
        }
        let admin = try Self.alone("--admin") { try startAdmin(shared, roster, backend) }
        return [admin, sandbox].compactMap { $0 }
    }

    /// Starts a group that binds addresses which no two relays can share.
    /// - Throws: `ValidationError` that names the flag when the address is taken.
    private static func alone(
        _ flag: String, _ start: () throws -> LoopGroup?
    ) throws -> LoopGroup? {
        do { return try start() } catch let error as SystemError where error.errno == EADDRINUSE {
            throw ValidationError(
                "\(flag): \(error). Another relay's? Each relay of a host needs one of its own.")
        }
    }

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

    /// What sessions and connections may have of `limit` descriptors.
    static func descriptors(for configuration: Configuration, limit: Int) -> DescriptorBudget {
        DescriptorBudget(
            limit: limit, loops: configuration.loops, listeners: configuration.listeners.count,
            apiConnectionsMax: configuration.api.connectionsMax,
            others: (configuration.admin.isEmpty ? 0 : AdminServer.descriptorsMax)
                + FileLedger.descriptorsMax
                + ServerLedger.descriptorsMax(loops: configuration.loops))
    }

    /// The same with as many sessions and API connections as there are descriptors for.
    private func withinDescriptors(_ configuration: Configuration) -> Configuration {
        let limit = descriptorLimit()
        let budget = Self.descriptors(for: configuration, limit: limit)
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

    /// What `--backend` means on this kernel; logs why `auto` is not io_uring.
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
        serverTLS.warnOfDates(in: log, now: Int64(time(nil)))
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
                "backend": backend.rawValue, "api": configuration.api.endpoint.description,
            ])
        if settings.sandbox != nil {
            print(SandboxBanner.text(for: configuration))
            fflush(nil)
        }
    }

    // MARK: Run

    /// Until SIGTERM or SIGINT.
    private func serve(_ roster: WorkerRoster, _ reload: Reload) {
        let status = ProcessSummary(settings).status
        service.ready(status: status)
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
}
