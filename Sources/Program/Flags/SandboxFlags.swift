// Flags: the imitation of the API inside the relay (`--sandbox`).

import ArgumentParser
import Reactor
import Sandbox

/// An address with its port as a flag's value.
struct AddressArgument: ExpressibleByArgument, Sendable {
    var address: SocketAddress

    init?(argument: String) {
        guard let address = SocketAddress(argument) else { return nil }
        self.address = address
    }
}

extension SandboxChaos: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }

    package var defaultValueDescription: String { "none" }
}

struct SandboxFlags: ParsableArguments {
    private static let defaults = SandboxOptions()

    @Flag(
        name: .customLong("sandbox"),
        help: ArgumentHelp(
            "Start an imitation of the API inside the relay: no account, nothing is delivered.",
            discussion: "Environment: POSTSCALE_SANDBOX=1."))
    var isEnabled = false

    @Option(
        name: .customLong("sandbox-listen"),
        help: ArgumentHelp(
            "Where the sandbox API listens (default: \(SandboxOptions.usualAddress)).",
            valueName: "address:port"))
    var listen: [AddressArgument] = []

    @Option(
        name: .customLong("sandbox-store"),
        help: ArgumentHelp(
            "Keep accepted messages in this folder: a JSON file and the attachments of each.",
            valueName: "folder"))
    var store: String?

    @Option(
        name: .customLong("sandbox-chaos"),
        help: ArgumentHelp(
            "Percentages of messages that meet a fault: 429=5,500=1,503=1,slow=10,reset=1.",
            valueName: "shares"))
    var chaos = SandboxChaos()

    @Option(
        name: .customLong("sandbox-slow"),
        help: ArgumentHelp("How long the key ps_test_slow waits.", valueName: "time"))
    var slow = TimeSpan(milliseconds: defaults.slowMilliseconds)

    /// The sandbox's settings; nil when there is none.
    func options(environment: [String: String]) -> SandboxOptions? {
        guard isEnabled || isTrue(environment["POSTSCALE_SANDBOX"]) else { return nil }
        var options = SandboxOptions(
            storeFolder: store, slowMilliseconds: slow.milliseconds, chaos: chaos)
        if !listen.isEmpty { options.addresses = listen.map(\.address) }
        return options
    }

    /// Whether an environment variable's text means yes.
    private func isTrue(_ text: String?) -> Bool {
        ["1", "true", "yes", "on"].contains(text?.lowercased() ?? "")
    }
}
