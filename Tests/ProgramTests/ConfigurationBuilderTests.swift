// What a command line and an environment become, or why they are refused.

import ArgumentParser
import Mapping
import Reactor
import Testing

@testable import APIClient
@testable import Program
@testable import Relay

struct ConfigurationBuilderTests {
    private func build(
        _ arguments: [String], _ environment: [String: String] = [:]
    ) throws -> RelaySettings {
        let command = try RunCommand.parse(arguments)
        return try ConfigurationBuilder(
            listen: command.listen, api: command.api, limits: command.limits,
            mapping: command.mapping, message: command.message, process: command.process,
            sandbox: command.sandbox, environment: environment
        ).build()
    }

    private func refusal(_ arguments: [String], _ environment: [String: String] = [:]) -> String {
        do {
            _ = try build(arguments, environment)
            return "accepted"
        } catch {
            return RunCommand.message(for: error)
        }
    }

    private static let certificate = ["--tls-cert", "c.pem", "--tls-key", "k.pem"]

    @Test func `without flags but a certificate, the relay listens on the documented ports`() throws
    {
        let settings = try build(Self.certificate)
        let ipv4 = settings.configuration.listeners.filter { $0.address.host == "0.0.0.0" }
        #expect(ipv4.map(\.address.port) == [587, 2525, 2587, 465])
        #expect(ipv4.map(\.isImplicitTLS) == [false, false, false, true])
        #expect(settings.configuration.api.endpoint.description == "https://api.postscale.io")
        #expect(settings.configuration.reloadable.limits.messageBytesMax == 52_428_800)
        #expect(settings.configuration.reloadable.limits.recipientsMax == 100)
        #expect(settings.configuration.reloadable.limits.idleTimeoutMilliseconds == 60_000)
        #expect(
            settings.configuration.reloadable.certificate
                == .files([TLSCertificateFiles(certificate: "c.pem", key: "k.pem")]))
        #expect(settings.sandbox == nil)
    }

    @Test func `without flags every module has its own defaults`() throws {
        let configuration = try build(Self.certificate).configuration
        var reloadable = configuration.reloadable
        reloadable.certificate = .selfSigned
        #expect(reloadable == ReloadableSettings())
        #expect(configuration.api == APIOptions())
        #expect(try APIEndpoint(url: "https://api.postscale.io") == .postscale)
        #expect(configuration.keys == KeyOptions())
        #expect(configuration.mapping == MappingOptions())
        #expect(configuration.messages == MessageOptions())
        #expect(configuration.drain == DrainOptions())
        #expect(configuration.backend == Configuration.usualBackend)
    }

    @Test func `the sandbox binds loopback and unprivileged ports`() throws {
        let settings = try build(["--sandbox"])
        let listeners = settings.configuration.listeners
        #expect(listeners.allSatisfy { $0.address.isLoopback && $0.address.port > 1_024 })
        #expect(listeners.map(\.address.port) == [2525, 2587, 2465])
        #expect(settings.configuration.reloadable.certificate == .selfSigned)
        #expect(settings.configuration.api.endpoint.description == "http://127.0.0.1:8587")
    }

    @Test func `a flag wins over its environment variable`() throws {
        let environment = [
            "POSTSCALE_API_URL": "https://api.example.com/base/",
            "POSTSCALE_LISTEN": "127.0.0.1:1587, [::1]:1588",
            "POSTSCALE_TLS_CERT": "e.pem", "POSTSCALE_TLS_KEY": "f.pem",
            "POSTSCALE_HOSTNAME": "smtp.example.com",
        ]
        let fromEnvironment = try build([], environment)
        #expect(fromEnvironment.configuration.api.endpoint.basePath == "/base")
        #expect(fromEnvironment.configuration.listeners.map(\.address.port) == [1587, 1588])
        #expect(fromEnvironment.configuration.hostname == "smtp.example.com")
        let fromFlags = try build(
            ["--api-url", "https://other.example.com:8443", "--listen", "127.0.0.1:2587"]
                + Self.certificate, environment)
        #expect(fromFlags.configuration.api.endpoint.port == 8443)
        #expect(fromFlags.configuration.listeners.map(\.address.port) == [2587])
        let files = TLSCertificateFiles(certificate: "c.pem", key: "k.pem")
        #expect(fromFlags.configuration.reloadable.certificate == .files([files]))
    }

    @Test(arguments: [
        ([], "--sandbox"), (["--tls-cert", "c"], "--tls-key"), (["--tls-key", "k"], "--tls-cert"),
        (["--sandbox", "--api-url", "https://a.example"], "exclude"),
        (["--sandbox", "--loops", "0"], "--loops 0"),
        (["--sandbox", "--listen", "127.0.0.1:0"], "--listen 127.0.0.1:0"),
        (["--sandbox", "--listen", "nonsense"], "nonsense"),
        (
            ["--sandbox", "--listen", "[::1]:2525", "--listen", "[::1]:2525"],
            "--listen [::1]:2525: it is given twice."
        ),
        (
            ["--sandbox", "--listen", "127.0.0.1:2525", "--listen-tls", "127.0.0.1:2525"],
            "--listen-tls 127.0.0.1:2525: --listen has it already."
        ),
        (
            ["--sandbox", "--admin", "9587", "--admin", "127.0.0.1:9587"],
            "--admin 127.0.0.1:9587: it is given twice."
        ),
        (["--sandbox", "--hostname", "a b"], "--hostname a b"),
        (["--sandbox", "--idle-timeout", "0s"], "--idle-timeout"),
        (["--sandbox", "--idle-timeout", "60"], "--idle-timeout"),
        (["--sandbox", "--max-message-size", "5x"], "--max-message-size"),
        (["--sandbox", "--memory-budget", "1KB"], "--memory-budget"),
        (["--sandbox", "--pass-header", "A:"], "--pass-header"),
        (["--sandbox", "--group-bytes", "0"], "--group-bytes"),
        (["--sandbox", "--temporary-budget", "x"], "--temporary-budget"),
        (["--sandbox", "--backend", "kqueue"], "--backend"),
    ])
    func `a bad value is refused with the flag's name`(_ arguments: [String], _ part: String) {
        #expect(refusal(arguments).contains(part), "\(refusal(arguments))")
    }

    @Test func `an address that the service manager has bound is not bound again`() throws {
        func build(_ arguments: [String]) throws -> [ListenerSpec] {
            let command = try RunCommand.parse(Self.certificate + arguments)
            return try ConfigurationBuilder(
                listen: command.listen, api: command.api, limits: command.limits,
                mapping: command.mapping, message: command.message, process: command.process,
                sandbox: command.sandbox, environment: [:],
                inherited: [
                    ListenerSpec(
                        address: SocketAddress("0.0.0.0:587")!, isImplicitTLS: false, inherited: 3)
                ]
            ).build().configuration.listeners
        }
        #expect(try build([]).map(\.inherited) == [3])
        #expect(try build(["--listen", "127.0.0.1:587"]).map(\.inherited) == [3, nil])
        let error = #expect(throws: ValidationError.self) {
            try build(["--listen", "0.0.0.0:587"])
        }
        #expect(error?.message.hasPrefix("--listen 0.0.0.0:587: the service manager") == true)
    }

    @Test func `bounds on hostile clients are flags`() throws {
        let plain = try build(Self.certificate).configuration
        #expect(plain.reloadable.abuse == AbuseLimits())
        #expect(plain.reloadable.limits.failedLoginDelayMilliseconds == 1_000)
        let flags = [
            "--max-handshakes-per-address", "11", "--max-handshakes-per-prefix", "12",
            "--max-connections-per-address", "13", "--max-connections-per-prefix", "14",
            "--max-failed-logins-per-address", "15", "--max-failed-logins-per-prefix", "16",
            "--failed-login-delay", "20ms",
        ]
        let changed = try build(Self.certificate + flags).configuration
        var abuse = AbuseLimits()
        abuse.handshakesPerAddressMax = 11
        abuse.handshakesPerPrefixMax = 12
        abuse.connectionsPerAddressMax = 13
        abuse.connectionsPerPrefixMax = 14
        abuse.failedLoginsPerAddressMax = 15
        abuse.failedLoginsPerPrefixMax = 16
        #expect(changed.reloadable.abuse == abuse)
        #expect(changed.reloadable.limits.failedLoginDelayMilliseconds == 20)
    }

    @Test func `bounds of files and groups are flags`() throws {
        let plain = try build(Self.certificate).configuration
        #expect(plain.messages.temporaryFolder == nil && plain.messages.temporaryBytesMax == nil)
        #expect(plain.mapping.groupBytesMax == 1 << 30)
        let changed = try build(
            Self.certificate + [
                "--temporary-folder", "/var/tmp", "--temporary-budget", "1MB",
                "--group-bytes", "2MB",
            ]
        ).configuration
        #expect(changed.messages.temporaryFolder == "/var/tmp")
        #expect(changed.messages.temporaryBytesMax == 1 << 20)
        #expect(changed.mapping.groupBytesMax == 2 << 20)
    }

    @Test func `a user is known by name or number, with a group`() throws {
        #expect(try build(Self.certificate).identity == nil)
        let root = try build(Self.certificate + ["--user", "root"]).identity
        #expect(root == ProcessIdentity(user: 0, group: 0))
        let number = try build(Self.certificate + ["--user", "4711", "--group", "4712"]).identity
        #expect(number == ProcessIdentity(user: 4_711, group: 4_712))
    }

    @Test(arguments: [
        (["--user", "nobody-here"], "--user nobody-here"), (["--user", "-1"], "--user"),
        (["--user", "4711234"], "--group"), (["--group", "root"], "--group without --user"),
        (["--user", "root", "--group", "nobody-here"], "--group nobody-here"),
    ])
    func `an unknown user is refused`(_ arguments: [String], _ part: String) {
        let text = refusal(Self.certificate + arguments)
        #expect(text.contains(part), "\(text)")
    }

    @Test(arguments: [
        ("ftp://a.example", "https://"), ("http://a.example", "loopback"),
        ("https://", "host"), ("https://a.example:0", "port"), ("https://a.example:70000", "port"),
        ("https://user@a.example", "alone"), ("https://a.example/?q", "alone"),
        ("https://a.example/ü", "ASCII"), ("https://[::1", "host"),
    ])
    func `a bad API URL is refused with the reason`(_ url: String, _ part: String) {
        let text = refusal(["--api-url", url] + Self.certificate)
        #expect(text.contains(part) && text.contains(url), "\(text)")
    }

    @Test(arguments: [
        ("https://api.example.com", "api.example.com", 443, ""),
        ("https://api.example.com:8443/a/b/", "api.example.com", 8443, "/a/b"),
        ("http://127.0.0.1:8587", "127.0.0.1", 8587, ""), ("http://localhost", "localhost", 80, ""),
        ("http://[::1]:8587", "::1", 8587, ""),
        ("https://[2001:db8::1]/x", "2001:db8::1", 443, "/x"),
    ])
    func `API URLs are taken apart`(
        _ url: String, _ host: String, _ port: Int, _ path: String
    ) throws {
        let endpoint = try APIEndpoint(url: url)
        #expect(endpoint.host == host && endpoint.port == port && endpoint.basePath == path)
        #expect(endpoint.isTLS == url.hasPrefix("https"))
    }
}
