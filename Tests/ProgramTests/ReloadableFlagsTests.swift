// Every flag of the parser, changed in the settings file: SIGHUP either adopts the change or names
// the flag as one that needs a restart, and docs/configure.md says which.

import Foundation
import Relay
import Testing

@testable import Program

struct ReloadableFlagsTests {
    /// Flags with a value that differs from `base` and from the default; nil for flags without one.
    static let rows: [(flag: String, value: String?)] = [
        ("--listen", "127.0.0.1:2525"), ("--listen-tls", "127.0.0.1:2465"),
        ("--proxy-from", "10.0.0.0/24"), ("--hostname", "new.example"), ("--tls-cert", "new.pem"),
        ("--tls-key", "new.pem"), ("--tls-folder", certificates.path), ("--ticket-keys", "keys"),
        ("--tls-groups", "X25519"),
        ("--write-certificate", "out.pem"), ("--api-url", "https://api.example"),
        ("--api-ca", "ca.pem"), ("--api-http", "1.1"),
        ("--api-timeout", "41s"), ("--api-connect-timeout", "41s"),
        ("--api-connections", "41"), ("--api-queue", "41"), ("--api-rate", "41MB"),
        ("--api-idle-timeout", "41s"),
        ("--dns-ttl", "41s"), ("--key-check-path", "/other"), ("--key-ttl", "41s"),
        ("--refused-key-ttl", "41s"), ("--sandbox", nil), ("--sandbox-listen", "127.0.0.1:41"),
        ("--sandbox-store", "folder"), ("--sandbox-chaos", "500=41"), ("--sandbox-slow", "41s"),
        ("--max-message-size", "41MB"), ("--max-recipients", "41"), ("--idle-timeout", "41s"),
        ("--session-timeout", "41s"), ("--min-data-rate", "41KB"), ("--max-errors", "41"),
        ("--max-failed-logins", "41"), ("--max-connections-per-address", "41"),
        ("--max-connections-per-prefix", "41"), ("--max-failed-logins-per-address", "41"),
        ("--max-failed-logins-per-prefix", "41"), ("--failed-login-delay", "41ms"),
        ("--max-handshakes-per-address", "41"), ("--max-handshakes-per-prefix", "41"),
        ("--memory-budget", "41MB"), ("--buffer-threshold", "41KB"), ("--bare-recipients", nil),
        ("--no-inline-content-id", nil), ("--no-chunking", nil), ("--pass-header", "Date"),
        ("--map-foreign-headers", nil),
        ("--refuse-encrypted", nil),
        ("--max-attachments", "41"),
        ("--max-attachment-size", "41MB"), ("--max-attachments-size", "41MB"),
        ("--duplicate-window", "41s"), ("--group-window", "41s"), ("--ledger", "/ledger"),
        ("--ledger-credentials", "/credentials"), ("--ledger-ca", "/ca.pem"),
        ("--temporary-folder", "/"),
        ("--temporary-budget", "41MB"), ("--group-bytes", "41MB"),
        ("--enhanced-status-codes", nil), ("--verbose-replies", nil), ("--loops", "41"),
        ("--backend", "epoll"), ("--drain-timeout", "41s"), ("--drain-delay", "41s"),
        ("--drain-grace", "41s"), ("--user", "41"), ("--group", "41"), ("--admin", "41"),
        ("--trace-key", "0123456789abcdef"), ("--trace-address", "192.0.2.7"),
        ("--log-envelope", nil),
        ("--log-format", "json"), ("--log-level", "debug"),
    ]

    /// What the settings file holds besides: some flags need another.
    private static let base: [String: String?] = [
        "--tls-cert": "c.pem", "--tls-key": "k.pem", "--user": "4711", "--group": "4712",
        "--ledger": "valkey://ledger.example",
    ]
    private static let certificates = try! CertificateFolder()

    /// The flags of `run`, as its parser knows them.
    private static func parsed() throws -> Set<String> {
        let help = try JSONSerialization.jsonObject(with: Data(RunCommand._dumpHelp().utf8))
        let command = (help as? [String: Any])?["command"] as? [String: Any]
        let arguments = command?["arguments"] as? [[String: Any]] ?? []
        let names = arguments.flatMap { $0["names"] as? [[String: Any]] ?? [] }
        return Set(
            names.filter { $0["kind"] as? String == "long" }
                .compactMap { $0["name"] as? String }.map { "--" + $0 })
    }

    /// The flags that docs/configure.md marks with ↻.
    private static func marked() throws -> Set<String> {
        let page = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../docs/configure.md").standardized
        let rows = try String(contentsOf: page, encoding: .utf8).split(separator: "\n")
        return Set(
            rows.compactMap { $0.wholeMatch(of: /\| `(--[a-z-]+)` ↻ \|.*/) }.map { String($0.1) })
    }

    private static func text(_ flags: [String: String?]) -> String {
        flags.map { flag, value in value.map { "\(flag) \($0)\n" } ?? "\(flag)\n" }.joined()
    }

    @Test func `every flag of the parser has a row`() throws {
        // These cannot stand in a settings file, or end the program at once.
        let parsed = try Self.parsed().subtracting([
            "--config", "--check-config", "--help", "--version",
        ])
        #expect(parsed == Set(Self.rows.map(\.flag)))
        #expect(try !Self.marked().isEmpty)
    }

    @Test(arguments: rows)
    func `a change is adopted, or its flag is named as needing a restart`(
        _ flag: String, _ value: String?
    ) throws {
        let file = try TemporaryText(Self.text(Self.base))
        let reader = try SettingsReader(arguments: ["--config", file.path], environment: [:])
        let (before, nothing) = try reader.readAgain()
        #expect(nothing.isEmpty)
        try file.replace(Self.text(Self.base.merging([flag: value]) { $1 }))
        let (after, needRestart) = try reader.readAgain()
        let isAdopted = after.configuration.reloadable != before.configuration.reloadable
        #expect(needRestart == (isAdopted ? [] : [flag]))
        #expect(try isAdopted == Self.marked().contains(flag))
        // A reloadable flag changes nothing that only a restart would apply.
        var rest = after.configuration
        rest.reloadable = before.configuration.reloadable
        if isAdopted { #expect("\(rest)" == "\(before.configuration)") }
    }
}

/// A folder with a certificate as certbot writes it; the files are empty.
private final class CertificateFolder: Sendable {
    let path: String

    init() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for name in ["fullchain.pem", "privkey.pem"] {
            try Data().write(to: folder.appending(path: name))
        }
        path = folder.path
    }
}
