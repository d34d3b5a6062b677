// The command `postscale-relay check`: looks at everything that the relay needs from its machine and
// from its network, with the flags of `run`, and says what to do about each.
//
// It starts nothing that others can see: it binds ports that are free for a moment, and asks the API
// one question. It runs beside the relay and needs the same rights.

import ArgumentParser
import Glibc
import Reactor
import Relay

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Look at ports, certificate, API and machine, and say what to do.",
        discussion: """
            Takes the flags of `run`, --config among them. Each line is ok, warn or bad; the status is 1 \
            when one is bad. With a key it also logs in at the API: the key check that each client \
            makes, which sends nothing.
            """)

    @OptionGroup var relay: RunCommand

    @Option(
        help: ArgumentHelp(
            "Log in at the API with the key in this file.",
            discussion: "Environment: POSTSCALE_API_KEY.", valueName: "file"))
    var keyFile: String?

    func run() throws {
        let environment = processEnvironment()
        let findings = look(environment)
        for finding in findings { print(finding.lines) }
        print(findings.summary)
        if !findings.isGood { throw ExitCode(1) }
    }

    private static let settingsAdvice = "correct the flag; postscale-relay --help lists them"

    /// Prints what is wrong with the settings file, which was not even parsed.
    /// - Returns: the status, to be thrown.
    static func refusal(of fault: String) -> ExitCode {
        let findings: [Finding] = [.bad("settings", fault, settingsAdvice)]
        for finding in findings { print(finding.lines) }
        print(findings.summary)
        return ExitCode(1)
    }

    /// Looks at everything, in the order in which things must be right.
    private func look(_ environment: [String: String]) -> [Finding] {
        let settings: RelaySettings
        let key: [UInt8]?
        do {
            settings = try relay.settings(environment: environment)
            key = try readKey(environment)
            _ = try settings.configuration.reloadable.readTicketKeys()
        } catch {
            let reason = CheckCommand.message(for: error)
            return [.bad("settings", reason, Self.settingsAdvice)]
        }
        let configuration = settings.configuration
        var findings: [Finding] = [.ok("settings", "valid")]
        findings += PortCheck(
            listeners: configuration.listeners, admin: configuration.admin,
            sandbox: settings.sandbox?.addresses ?? []
        ).findings()
        findings += CertificateCheck(configuration).findings(now: Int64(time(nil)))
        if settings.sandbox == nil {
            findings += APICheck(
                configuration.api, groups: configuration.tlsGroups, key: key
            ).findings()
        } else {
            findings.append(.ok("api", "the sandbox of this relay"))
        }
        findings += MachineCheck(configuration).findings()
        findings += LedgerCheck(configuration.messages, hasSandbox: settings.sandbox != nil)
            .findings()
        return findings
    }

    /// The key of the file or of the environment, without the line end; nil without any.
    private func readKey(_ environment: [String: String]) throws -> [UInt8]? {
        var bytes = environment["POSTSCALE_API_KEY"].map { Array($0.utf8) }
        if let keyFile {
            do { bytes = try SmallFile.read(keyFile, bytesMax: 4_096) } catch {
                throw ValidationError("--key-file \(error)")
            }
        }
        while let last = bytes?.last, last == 0x0A || last == 0x0D { bytes?.removeLast() }
        guard let bytes else { return nil }
        guard !bytes.isEmpty, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw ValidationError(
                "The key is not one: a key is one line of printable ASCII without blanks.")
        }
        return bytes
    }
}
