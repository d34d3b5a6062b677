// From flags and environment to a checked Configuration.
//
// A flag wins over its environment variable, which wins over the default. Whatever is wrong is said
// with the flag's name, the value that was given and what would do instead; nothing is started.

import APIClient
import ArgumentParser
import CEpoll.Process
import Glibc
import Logging
import Reactor
import Relay
import Sandbox

/// What `run` starts: the relay's settings, and the sandbox's when there is one.
struct RelaySettings: Sendable {
    var configuration: Configuration
    var certificate: CertificateSource
    /// A file of keys for session tickets; nil for keys of our own.
    var ticketKeyFile: String?
    var sandbox: SandboxSettings?
    /// Who the process becomes once its ports are bound; nil when it stays who it is.
    var identity: ProcessIdentity?
}

/// Where the server's certificate comes from.
enum CertificateSource: Sendable, Equatable {
    case files([TLSCertificateFiles])
    /// A new self-signed one in memory, for the sandbox only.
    case selfSigned
}

/// The sandbox API's settings.
struct SandboxSettings: Sendable {
    var listen: [SocketAddress]
    var storeFolder: String?
    var slowMilliseconds: Int
    var chaos = SandboxChaos()
}

/// Builds settings from parsed flags and the process's environment.
struct ConfigurationBuilder {
    static let productionPorts: [(port: UInt16, isImplicitTLS: Bool)] = [
        (587, false), (2525, false), (2587, false), (465, true),
    ]
    static let sandboxPorts: [(port: UInt16, isImplicitTLS: Bool)] = [
        (2525, false), (2587, false), (2465, true),
    ]

    let listen: ListenFlags
    let api: APIFlags
    let limits: LimitFlags
    let mapping: MappingFlags
    let message: MessageFlags
    let process: ProcessFlags
    let sandbox: SandboxFlags
    let environment: [String: String]
    /// Sockets that the process was started with.
    var inherited: [ListenerSpec] = []

    func build() throws -> RelaySettings {
        let hasSandbox = sandbox.isEnabled || isTrue(environment["POSTSCALE_SANDBOX"])
        let listeners = try makeListeners(hasSandbox: hasSandbox)
        let sandboxSettings = hasSandbox ? try makeSandbox() : nil
        let apiOptions = try makeAPIOptions(sandbox: sandboxSettings)
        let loops = process.loops ?? availableCores()
        try FlagCheck.check(loops >= 1 && loops <= 1_024, "--loops", "\(loops)", "1 to 1024")
        let budget =
            limits.memoryBudget?.bytes ?? availableMemoryBytes() / 4 / 1_048_576 * 1_048_576
        try FlagCheck.check(
            budget >= limits.bufferThreshold.bytes, "--memory-budget", "\(budget)",
            "at least --buffer-threshold (\(limits.bufferThreshold.bytes) bytes)")
        var configuration = Configuration(
            hostname: try makeHostname(), listeners: listeners, loops: loops, api: apiOptions,
            memoryBudgetBytes: budget)
        configuration.proxies = listen.proxies
        configuration.backend = process.backend
        configuration.limits = try makeSessionLimits()
        configuration.abuse = try makeAbuseLimits()
        configuration.mapping = try mapping.options()
        configuration.bufferThresholdBytes = limits.bufferThreshold.bytes
        configuration.duplicateWindowMilliseconds = message.duplicateWindow.milliseconds
        configuration.drainTimeoutMilliseconds = process.drainTimeout.milliseconds
        configuration.drainDelayMilliseconds = process.drainDelay.milliseconds
        configuration.drainGraceMilliseconds = process.drainGrace.milliseconds
        configuration.hasEnhancedStatusCodes = message.enhancedStatusCodes
        configuration.hasVerboseReplies = message.verboseReplies
        configuration.temporaryFolder = message.temporaryFolder
        configuration.admin = try makeAdmin()
        configuration.trace = try process.trace.rules()
        return RelaySettings(
            configuration: configuration,
            certificate: try makeCertificate(hasSandbox: hasSandbox),
            ticketKeyFile: listen.ticketKeys, sandbox: sandboxSettings,
            identity: try makeIdentity())
    }

    // MARK: - Parts

    private func makeListeners(hasSandbox: Bool) throws -> [ListenerSpec] {
        var startTLS = listen.startTLS.map(\.address)
        var implicitTLS = listen.implicitTLS.map(\.address)
        if startTLS.isEmpty && implicitTLS.isEmpty {
            startTLS = try addresses(from: "POSTSCALE_LISTEN")
            implicitTLS = try addresses(from: "POSTSCALE_LISTEN_TLS")
        }
        if startTLS.isEmpty && implicitTLS.isEmpty && inherited.isEmpty {
            let hosts = hasSandbox ? ["127.0.0.1"] : hasIPv6() ? ["0.0.0.0", "[::]"] : ["0.0.0.0"]
            let ports = hasSandbox ? Self.sandboxPorts : Self.productionPorts
            return ports.flatMap { entry in
                hosts.compactMap { SocketAddress("\($0):\(entry.port)") }
                    .map { ListenerSpec(address: $0, isImplicitTLS: entry.isImplicitTLS) }
            }
        }
        for address in startTLS + implicitTLS {
            try FlagCheck.check(
                address.port > 0, "--listen", "\(address)", "a port from 1 to 65535")
        }
        let own =
            startTLS.map { ListenerSpec(address: $0, isImplicitTLS: false) }
            + implicitTLS.map { ListenerSpec(address: $0, isImplicitTLS: true) }
        try FlagCheck.checkDistinct(inherited: inherited, own)
        return inherited + own
    }

    private func addresses(from variable: String) throws -> [SocketAddress] {
        try (environment[variable] ?? "").split(separator: ",").map { part in
            let text = part.filter { $0 != " " }
            guard let address = SocketAddress(text) else {
                throw ValidationError(
                    "\(variable)=\(text): give address:port, such as 0.0.0.0:587 or [::]:465.")
            }
            return address
        }
    }

    private func makeHostname() throws -> String {
        let name = listen.hostname ?? environment["POSTSCALE_HOSTNAME"] ?? ownHostname()
        let isValid = name.utf8.allSatisfy {
            ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7A || $0 >= 0x30 && $0 <= 0x39
                || [0x2D, 0x2E, 0x3A, 0x5B, 0x5D, 0x5F].contains($0)
        }
        try FlagCheck.check(
            isValid && !name.isEmpty && name.utf8.count <= 255, "--hostname", name,
            "a host name such as smtp.example.com")
        return name
    }

    private func makeCertificate(hasSandbox: Bool) throws -> CertificateSource {
        let isNamed = !listen.tlsCert.isEmpty || !listen.tlsKey.isEmpty
        func files(_ flag: [String], _ variable: String) -> [String] {
            flag.isEmpty ? environment[variable].map { [$0] } ?? [] : flag
        }
        var found: [TLSCertificateFiles] = []
        if isNamed || listen.tlsFolder.isEmpty {
            found = try CertificateFiles.pairs(
                certificates: files(listen.tlsCert, "POSTSCALE_TLS_CERT"),
                keys: files(listen.tlsKey, "POSTSCALE_TLS_KEY"))
        }
        for folder in listen.tlsFolder { found += try CertificateFiles.inFolder(folder) }
        if !found.isEmpty { return .files(found) }
        let folder = environment["CREDENTIALS_DIRECTORY"]
        if let pair = CertificateFiles.inCredentials(folder) { return .files([pair]) }
        guard !hasSandbox else { return .selfSigned }
        throw ValidationError(
            """
            No certificate: give --tls-cert FILE and --tls-key FILE (PEM), or --tls-folder.
            A free one: certbot certonly --standalone -d smtp.example.com
              (then --tls-folder /etc/letsencrypt/live/smtp.example.com).
            To try the relay without one, with an API of its own: --sandbox.
            """)
    }

    private func makeAdmin() throws -> [SocketAddress] {
        let addresses =
            process.admin.isEmpty ? try adminFromEnvironment() : process.admin.map(\.address)
        try FlagCheck.checkDistinct("--admin", addresses)
        return addresses
    }

    private func adminFromEnvironment() throws -> [SocketAddress] {
        try (environment["POSTSCALE_ADMIN"] ?? "").split(separator: ",").map { text in
            guard let entry = AdminAddress(argument: text.filter { $0 != " " }) else {
                throw ValidationError(
                    "POSTSCALE_ADMIN=\(text): give address:port or a port, such as 127.0.0.1:9587.")
            }
            return entry.address
        }
    }

    private func makeIdentity() throws -> ProcessIdentity? {
        guard let user = process.user else {
            guard process.group == nil else {
                throw ValidationError("--group without --user: give both, or --user alone.")
            }
            return nil
        }
        return try ProcessIdentity(user: user, group: process.group)
    }

    private func makeSandbox() throws -> SandboxSettings {
        SandboxSettings(
            listen: sandbox.listen.isEmpty
                ? [SocketAddress(SandboxFlags.defaultListen)!] : sandbox.listen.map(\.address),
            storeFolder: sandbox.store, slowMilliseconds: sandbox.slow.milliseconds,
            chaos: sandbox.chaos)
    }

    private func makeAPIOptions(sandbox: SandboxSettings?) throws -> APIOptions {
        let given = api.url ?? environment["POSTSCALE_API_URL"]
        if sandbox != nil, let given {
            throw ValidationError(
                "--sandbox and an API URL (\(given)) exclude each other: leave one out.")
        }
        let text = sandbox.map { "http://\($0.listen[0])" } ?? given ?? "https://api.postscale.io"
        let endpoint = try APIEndpoint(url: text)
        var options = APIOptions(endpoint: endpoint)
        options.caFile = api.caFile ?? environment["POSTSCALE_API_CA"]
        try FlagCheck.check(
            api.keyCheckPath.hasPrefix("/")
                && api.keyCheckPath.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F },
            "--key-check-path", api.keyCheckPath, "a path such as /v1/emails?limit=1")
        options.keyCheckPath = api.keyCheckPath
        options.timeoutMilliseconds = try FlagCheck.positive("--api-timeout", api.timeout)
        options.connectTimeoutMilliseconds = try FlagCheck.positive(
            "--api-connect-timeout", api.connectTimeout)
        options.connectionsMax = try FlagCheck.positive("--api-connections", api.connectionsMax)
        options.queueMax = try FlagCheck.positive("--api-queue", api.queueMax)
        options.idleTimeoutMilliseconds = try FlagCheck.positive(
            "--api-idle-timeout", api.idleTimeout)
        options.dnsTTLMilliseconds = try FlagCheck.positive("--dns-ttl", api.dnsTTL)
        options.validKeyTTLMilliseconds = api.keyTTL.milliseconds
        options.refusedKeyTTLMilliseconds = api.refusedKeyTTL.milliseconds
        return options
    }

    private func makeSessionLimits() throws -> SessionLimits {
        var result = SessionLimits()
        result.messageBytesMax = try FlagCheck.positive(
            "--max-message-size", limits.maxMessageSize.bytes)
        result.recipientsMax = try FlagCheck.positive("--max-recipients", limits.maxRecipients)
        result.idleTimeoutMilliseconds = try FlagCheck.positive(
            "--idle-timeout", limits.idleTimeout)
        result.sessionTimeoutMilliseconds = try FlagCheck.positive(
            "--session-timeout", limits.sessionTimeout)
        result.dataRateMin = limits.minDataRate.bytes
        result.errorsMax = try FlagCheck.positive("--max-errors", limits.maxErrors)
        result.failedLoginsMax = try FlagCheck.positive(
            "--max-failed-logins", limits.maxFailedLogins)
        let delay = limits.failedLoginDelay
        try FlagCheck.check(
            delay.milliseconds <= 30_000, "--failed-login-delay", delay.defaultValueDescription,
            "a time of at most 30s")
        result.failedLoginDelayMilliseconds = delay.milliseconds
        return result
    }

    private func makeAbuseLimits() throws -> AbuseLimits {
        var result = AbuseLimits()
        result.connectionsPerAddressMax = try FlagCheck.positive(
            "--max-connections-per-address", limits.maxConnectionsPerAddress)
        result.connectionsPerPrefixMax = try FlagCheck.positive(
            "--max-connections-per-prefix", limits.maxConnectionsPerPrefix)
        result.failedLoginsPerAddressMax = try FlagCheck.positive(
            "--max-failed-logins-per-address", limits.maxFailedLoginsPerAddress)
        result.failedLoginsPerPrefixMax = try FlagCheck.positive(
            "--max-failed-logins-per-prefix", limits.maxFailedLoginsPerPrefix)
        result.handshakesPerAddressMax = try FlagCheck.positive(
            "--max-handshakes-per-address", limits.maxHandshakesPerAddress)
        result.handshakesPerPrefixMax = try FlagCheck.positive(
            "--max-handshakes-per-prefix", limits.maxHandshakesPerPrefix)
        return result
    }
}

/// Whether an environment variable's text means yes.
private func isTrue(_ text: String?) -> Bool {
    ["1", "true", "yes", "on"].contains(text?.lowercased() ?? "")
}
