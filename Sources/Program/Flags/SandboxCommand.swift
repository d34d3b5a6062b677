// The command `postscale-relay sandbox`: the imitation of the API as a process of its own.

import ArgumentParser
import Reactor
import Sandbox

struct SandboxCommand: ParsableCommand {
    private static let defaults = SandboxOptions()

    static let configuration = CommandConfiguration(
        commandName: "sandbox",
        abstract: "Run only the imitation of the API, for a relay or a client elsewhere.")

    @Option(
        help: ArgumentHelp(
            "Listen here. Repeatable (default: \(SandboxOptions.usualAddress)).",
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
    var slow = TimeSpan(milliseconds: defaults.slowMilliseconds)

    @Option(
        help: ArgumentHelp(
            "Answer also to this name in Host, besides IP addresses and localhost.",
            valueName: "name"))
    var hostname: String?

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
        try SandboxProcess(options: try options(), log: log.events).run()
        log.writer.finish()
    }

    /// - Throws: `TLSError` that names the file.
    private func options() throws -> SandboxOptions {
        var options = SandboxOptions(
            hostname: hostname, storeFolder: store, slowMilliseconds: slow.milliseconds,
            chaos: chaos)
        if !listen.isEmpty { options.addresses = listen.map(\.address) }
        if let tlsCert, let tlsKey {
            options.tls = try TLSContext.server(
                certificateFile: tlsCert, keyFile: tlsKey, speaksHTTP2: true)
        }
        return options
    }
}
