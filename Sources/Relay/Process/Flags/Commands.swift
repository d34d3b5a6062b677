// The command line: `postscale-relay [run]`, `postscale-relay sandbox` and `postscale-relay explain`
// (which has a folder of its own).

import ArgumentParser
import Reactor

typealias ParsedCommand = ParsableCommand

struct PostscaleRelay: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "postscale-relay",
        abstract: "An SMTP relay in front of the Postscale API.",
        version: RelayVersion.current,
        subcommands: [RunCommand.self, SandboxCommand.self, ExplainCommand.self],
        defaultSubcommand: RunCommand.self)

    /// The command of this command line. `--help` alone shows the flags of `run`, because that is
    /// what everybody who asks wants to know.
    static func parseCommand() throws -> any ParsedCommand {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let isHelp = arguments == ["--help"] || arguments == ["-h"] || arguments == ["help"]
        return try parseAsRoot(isHelp ? ["help", "run"] : arguments)
    }
}

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Relay messages (the default).",
        usage: """
            postscale-relay [run] --tls-cert <file> --tls-key <file> [<options>]
            postscale-relay [run] --sandbox [<options>]
            postscale-relay sandbox [<options>]
            postscale-relay explain <file> ...
            postscale-relay --version
            """,
        discussion: """
            Mail clients connect with STARTTLS or TLS, log in as `postscale` with their API key, \
            and hand over messages; each becomes a call of the API while it is still arriving.

            Try it:      postscale-relay --sandbox
            Production:  postscale-relay --tls-cert fullchain.pem --tls-key privkey.pem

            Sizes have units (64KB, 50MB; 1 MB is 1,048,576 bytes), and times too (500ms, 60s, \
            5m). SIGTERM and SIGINT drain: no new connections, messages in flight get their \
            answer; a second one stops at once. The sandbox alone: postscale-relay sandbox --help.
            """)

    @OptionGroup(title: "Clients") var listen: ListenFlags
    @OptionGroup(title: "API") var api: APIFlags
    @OptionGroup(title: "Sandbox") var sandbox: SandboxFlags
    @OptionGroup(title: "Limits") var limits: LimitFlags
    @OptionGroup(title: "Messages") var mapping: MappingFlags
    @OptionGroup(title: "Replies") var message: MessageFlags
    @OptionGroup(title: "Process") var process: ProcessFlags

    @Flag(help: "Check flags, files and certificates, print what would run, and end.")
    var checkConfig = false

    func run() throws {
        let environment = processEnvironment()
        let settings = try ConfigurationBuilder(
            listen: listen, api: api, limits: limits, mapping: mapping, message: message,
            process: process, sandbox: sandbox, environment: environment
        ).build()
        let log = try process.log.makeLog(environment: environment)
        let relay = try RelayProcess(settings: settings, log: log.events)
        if let file = listen.writeCertificate { try relay.writeCertificate(to: file) }
        if checkConfig {
            print(relay.summary())
        } else {
            try relay.run()
        }
        log.writer.finish()
    }
}

struct SandboxCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sandbox",
        abstract: "Run only the imitation of the API, for a relay or a client elsewhere.")

    @Option(
        help: ArgumentHelp(
            "Listen here. Repeatable (default: \(SandboxFlags.defaultListen)).",
            valueName: "address:port"))
    var listen: [AddressArgument] = []

    @Option(
        help: ArgumentHelp(
            "Keep accepted messages in this folder.", valueName: "folder"))
    var store: String?

    @Option(
        help: ArgumentHelp(
            "Percentages of messages that meet a fault: 429=5,500=1,503=1,slow=10,reset=1.",
            valueName: "shares"))
    var chaos = SandboxChaos()

    @Option(help: ArgumentHelp("How long the key ps_test_slow waits.", valueName: "time"))
    var slow = TimeSpan.seconds(3)

    @Option(help: ArgumentHelp("PEM file with a certificate: serve HTTPS.", valueName: "file"))
    var tlsCert: String?

    @Option(help: ArgumentHelp("PEM file with the certificate's key.", valueName: "file"))
    var tlsKey: String?

    @OptionGroup var log: LogFlags

    func validate() throws {
        guard (tlsCert == nil) == (tlsKey == nil) else {
            throw ValidationError("--tls-cert and --tls-key belong together: give both or none.")
        }
    }

    func run() throws {
        let log = try log.makeLog(environment: processEnvironment())
        let settings = SandboxSettings(
            listen: listen.isEmpty
                ? [SocketAddress(SandboxFlags.defaultListen)!] : listen.map(\.address),
            storeFolder: store, slowMilliseconds: slow.milliseconds, chaos: chaos)
        var tls: TLSContext?
        if let tlsCert, let tlsKey {
            tls = try TLSContext.server(certificateFile: tlsCert, keyFile: tlsKey)
        }
        try SandboxProcess(settings: settings, tls: tls, log: log.events).run()
        log.writer.finish()
    }
}
