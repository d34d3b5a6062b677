// Flags: the imitation of the API inside the relay.

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
    static let defaultListen = "127.0.0.1:8587"

    @Flag(
        name: .customLong("sandbox"),
        help: ArgumentHelp(
            "Start an imitation of the API inside the relay: no account, nothing is delivered.",
            discussion: "Environment: POSTSCALE_SANDBOX=1."))
    var isEnabled = false

    @Option(
        name: .customLong("sandbox-listen"),
        help: ArgumentHelp(
            "Where the sandbox API listens (default: \(defaultListen)).",
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
    var slow = TimeSpan.seconds(3)
}
