// The command line: `postscale-relay [run]`. `sandbox` has a file of its own, `explain` and `check` have
// folders.

import ArgumentParser
import Glibc
import Log
import Reactor

typealias ParsedCommand = ParsableCommand

struct PostscaleRelay: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "postscale-relay",
        abstract: "An SMTP relay in front of the Postscale API.",
        version: RelayVersion.current,
        subcommands: [
            RunCommand.self, CheckCommand.self, SandboxCommand.self, ExplainCommand.self,
            LedgerCommand.self,
        ],
        defaultSubcommand: RunCommand.self)

    /// Names of the commands that read no settings file.
    private static let subcommandNames: Set<String> = ["sandbox", "explain", "ledger", "help"]

    /// The command of this command line. `--help` alone shows the flags of `run`, because that is
    /// what most people want to know.
    static func parseCommand() throws -> any ParsedCommand {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let words = arguments.first == "run" ? Array(arguments.dropFirst()) : arguments
        if words == ["--help"] || words == ["-h"] || words == ["help"] || words == ["help", "run"] {
            throw CleanExit.message(RunHelp.text)
        }
        let isRun = !subcommandNames.contains(arguments.first ?? "")
        func refusal(of fault: String) -> any Error {
            arguments.first == "check"
                ? CheckCommand.refusal(of: fault) : ValidationError(fault)
        }
        let file: ConfigFile
        do { file = isRun ? try ConfigFile(namedIn: arguments) : ConfigFile() } catch {
            throw refusal(of: RunCommand.message(for: error))
        }
        do { return try parseAsRoot(file.before(arguments)) } catch {
            // The command line is not to blame for a line of the file.
            guard let fault = file.fault else { throw error }
            throw refusal(of: fault)
        }
    }
}

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Relay messages (the default).",
        usage: """
            postscale-relay [run] --tls-cert <file> --tls-key <file> [<options>]
            postscale-relay [run] --sandbox [<options>]
            postscale-relay check [<options>]
            postscale-relay sandbox [<options>]
            postscale-relay explain <file> ...
            postscale-relay ledger <file>
            postscale-relay --version
            """,
        discussion: """
            Mail clients connect with STARTTLS or TLS, log in as `postscale` with their API key, \
            and hand over messages; each becomes a call of the API while it is still arriving.

            Try it:      postscale-relay --sandbox
            Production:  postscale-relay --tls-cert fullchain.pem --tls-key privkey.pem

            Sizes have units (64KB, 50MB; 1 MB is 1,048,576 bytes), and times too (500ms, 60s, \
            5m). SIGHUP reads files again (--config). SIGTERM and SIGINT drain: no new \
            connections, messages in flight get their answer; a second one stops at once. The sandbox alone: postscale-relay sandbox --help.
            """)

    @OptionGroup(title: "Clients") var listen: ListenFlags
    @OptionGroup(title: "API") var api: APIFlags
    @OptionGroup(title: "Sandbox") var sandbox: SandboxFlags
    @OptionGroup(title: "Limits") var limits: LimitFlags
    @OptionGroup(title: "Messages") var mapping: MappingFlags
    @OptionGroup(title: "Replies") var message: MessageFlags
    @OptionGroup(title: "Process") var process: ProcessFlags

    @Option(
        help: ArgumentHelp(
            "Read flags from this file, one a line, as they are written here.",
            discussion: """
                Lines that begin with # are comments. A flag that is given here too replaces those \
                of the file. SIGHUP reads the file again: limits of sessions and addresses and \
                certificates change for sessions that begin then; other changes are named in the \
                log and need a restart.
                """, valueName: "file"))
    var config: String?

    @Flag(help: "Check flags, files and certificates, print what would run, and end.")
    var checkConfig = false

    func run() throws {
        // Before the log's thread starts, so that only the main thread takes it (`runProcess`).
        Signals.block([SIGHUP])
        let environment = processEnvironment()
        let reader = try SettingsReader(
            arguments: Array(CommandLine.arguments.dropFirst()), environment: environment)
        let settings = try settings(environment: environment)
        let log = try process.log.makeLog(environment: environment)
        let relay = try RelayProcess(settings: settings, log: log.events)
        if let file = listen.writeCertificate { try relay.writeCertificate(to: file) }
        if checkConfig {
            print(try relay.checked())
        } else {
            try relay.run(reader: reader)
        }
        log.writer.finish()
    }

    /// These flags as settings.
    /// - Throws: `ValidationError`.
    func settings(environment: [String: String]) throws -> RelaySettings {
        try ConfigurationBuilder(
            listen: listen, api: api, limits: limits, mapping: mapping, message: message,
            process: process, sandbox: sandbox, environment: environment,
            inherited: try SocketActivation.listeners(environment)
        ).build()
    }
}
