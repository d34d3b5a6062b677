// Flags: where mail clients connect, and the relay's name.

import ArgumentParser
import Reactor
import Relay

extension AddressBlock: ExpressibleByArgument {
    /// "10.0.0.0/24"; nil for a text that is no block of addresses.
    public init?(argument: String) { self.init(argument) }
}

struct ListenFlags: ParsableArguments {
    @Option(
        name: .customLong("listen"),
        help: ArgumentHelp(
            "Listen here for STARTTLS clients. Repeatable.",
            discussion: """
                An address with its port: 0.0.0.0:587, [::]:587, 127.0.0.1:2525. Without any \
                --listen and --listen-tls: ports 587, 2525 and 2587, and 465 with TLS from the \
                first byte, on all IPv4 and IPv6 addresses; with --sandbox 127.0.0.1:2525 and \
                127.0.0.1:2587, and 127.0.0.1:2465 with TLS.
                """,
            valueName: "address:port"))
    var startTLS: [AddressArgument] = []

    @Option(
        name: .customLong("listen-tls"),
        help: ArgumentHelp(
            "Listen here for clients that speak TLS from the first byte. Repeatable.",
            valueName: "address:port"))
    var implicitTLS: [AddressArgument] = []

    @OptionGroup var balancers: BalancerFlags

    @Option(
        help: ArgumentHelp(
            "The relay's name in its greeting (default: this host's name).",
            discussion: "Environment: POSTSCALE_HOSTNAME.", valueName: "name"))
    var hostname: String?

    @OptionGroup var certificates: CertificateFlags

    @Option(
        help: ArgumentHelp(
            "Groups for the key exchange, best first, with clients and with the API.",
            discussion: """
                In OpenSSL's words, such as X25519MLKEM768:X25519:P-256 (default: X25519MLKEM768 \
                if OpenSSL has it, from 3.5 on; X25519, P-256, P-384).
                """, valueName: "list"))
    var tlsGroups: String?

    @Option(
        help: ArgumentHelp(
            "Write the certificate in use to this file, for clients that should verify it.",
            discussion: "For the certificate that --sandbox makes when none is given.",
            valueName: "file"))
    var writeCertificate: String?

    /// Where the relay listens without any --listen and --listen-tls.
    private static let productionPorts: [(port: UInt16, isImplicitTLS: Bool)] = [
        (587, false), (2525, false), (2587, false), (465, true),
    ]
    /// The same with a sandbox, on 127.0.0.1.
    private static let sandboxPorts: [(port: UInt16, isImplicitTLS: Bool)] = [
        (2525, false), (2587, false), (2465, true),
    ]

    /// - Parameter inherited: sockets that the process was started with.
    /// - Throws: `ValidationError` that names the flag or the variable.
    func listeners(
        environment: [String: String], inherited: [ListenerSpec], hasSandbox: Bool
    ) throws -> [ListenerSpec] {
        var startTLS = startTLS.map(\.address)
        var implicitTLS = implicitTLS.map(\.address)
        if startTLS.isEmpty && implicitTLS.isEmpty {
            startTLS = try addresses(from: "POSTSCALE_LISTEN", in: environment)
            implicitTLS = try addresses(from: "POSTSCALE_LISTEN_TLS", in: environment)
        }
        if startTLS.isEmpty && implicitTLS.isEmpty && inherited.isEmpty {
            return usualListeners(hasSandbox: hasSandbox)
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

    private func usualListeners(hasSandbox: Bool) -> [ListenerSpec] {
        let hosts = hasSandbox ? ["127.0.0.1"] : hasIPv6() ? ["0.0.0.0", "[::]"] : ["0.0.0.0"]
        let ports = hasSandbox ? Self.sandboxPorts : Self.productionPorts
        return ports.flatMap { entry in
            hosts.compactMap { SocketAddress("\($0):\(entry.port)") }
                .map { ListenerSpec(address: $0, isImplicitTLS: entry.isImplicitTLS) }
        }
    }

    private func addresses(
        from variable: String, in environment: [String: String]
    ) throws -> [SocketAddress] {
        try (environment[variable] ?? "").split(separator: ",").map { part in
            let text = part.filter { $0 != " " }
            guard let address = SocketAddress(text) else {
                throw ValidationError(
                    "\(variable)=\(text): give address:port, such as 0.0.0.0:587 or [::]:465.")
            }
            return address
        }
    }

    /// - Throws: `ValidationError` for a name that no greeting can hold.
    func name(environment: [String: String]) throws -> String {
        let name = hostname ?? environment["POSTSCALE_HOSTNAME"] ?? ownHostname()
        let isValid = name.utf8.allSatisfy {
            ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7A || $0 >= 0x30 && $0 <= 0x39
                || [0x2D, 0x2E, 0x3A, 0x5B, 0x5D, 0x5F].contains($0)
        }
        try FlagCheck.check(
            isValid && !name.isEmpty && name.utf8.count <= 255, "--hostname", name,
            "a host name such as smtp.example.com")
        return name
    }
}

/// Balancers in front of the relay; SIGHUP reads them again.
struct BalancerFlags: ParsableArguments {
    @Option(
        name: .customLong("proxy-from"),
        help: ArgumentHelp(
            "Balancers whose connections begin with a PROXY header. Repeatable.",
            discussion: """
                An address or a block of them: 10.0.0.5, 10.0.0.0/24, fd00::/64. The header \
                (version 1 or 2) is required from there, and its address is the client's in limits \
                and in the log. From anywhere else it is not understood.
                """, valueName: "address/bits"))
    var proxies: [AddressBlock] = []
}
