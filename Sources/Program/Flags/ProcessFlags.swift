// Flags: threads, the drain, the process's user, the admin listener.

import ArgumentParser
import Reactor
import Relay

extension BackendKind: ExpressibleByArgument {}

struct ProcessFlags: ParsableArguments {
    private static let drainDefaults = DrainOptions()

    @Option(
        help: ArgumentHelp(
            "Event loops, one thread each (default: one per core this process may use; a control group's quota counts).",
            valueName: "count"))
    var loops: Int?

    @Option(
        help: ArgumentHelp(
            "How bytes are moved: epoll, io_uring (kernel 6.1 or newer), or auto, which is io_uring "
                + "where the kernel grants it.", valueName: "backend"))
    var backend = Configuration.usualBackend

    @Option(
        help: ArgumentHelp(
            "Once no more connections are accepted, how long messages in flight may take.",
            valueName: "time"))
    var drainTimeout = TimeSpan(milliseconds: drainDefaults.timeoutMilliseconds)

    @Option(
        help: ArgumentHelp(
            "After SIGTERM, how long connections are still accepted.",
            discussion: """
                A balancer that checks with PROXY headers of its own (LOCAL) hears 421 from then on, \
                and sends its clients elsewhere before there is nobody to accept them.
                """, valueName: "time"))
    var drainDelay = TimeSpan(milliseconds: drainDefaults.delayMilliseconds)

    @Option(
        help: ArgumentHelp(
            "Of --drain-timeout, how long a client without a message yet may go on to send one.",
            discussion: """
                For rolling restarts, where another relay listens already: a client that has just \
                connected is not sent away. Clients that wait behind a message hear 421 at once.
                """, valueName: "time"))
    var drainGrace = TimeSpan(milliseconds: drainDefaults.graceMilliseconds)

    @Option(
        help: ArgumentHelp(
            "Become this user once the ports are bound; only root can.",
            discussion: "A name or a number.", valueName: "user"))
    var user: String?

    @Option(
        help: ArgumentHelp(
            "Become this group with --user (default: the user's own).", valueName: "group"))
    var group: String?

    @Option(
        help: ArgumentHelp(
            "Answer operators and their machines here: /status, /metrics, /healthz, /readyz.",
            discussion: """
                A port alone is one of 127.0.0.1: --admin 9587. Repeatable. Without it there is no \
                such listener. Plain HTTP without a login: whoever can reach it can read it, so \
                keep it off public addresses. No two relays can share one. Environment: POSTSCALE_ADMIN.
                """, valueName: "address:port"))
    var admin: [AdminAddress] = []

    @OptionGroup var trace: TraceFlags
    @OptionGroup var log: LogFlags

    /// - Throws: `ValidationError` with the flag, its value and what would do instead.
    func loopCount() throws -> Int {
        let count = loops ?? availableCores()
        try FlagCheck.check(count >= 1 && count <= 1_024, "--loops", "\(count)", "1 to 1024")
        return count
    }

    func drainOptions() -> DrainOptions {
        var options = DrainOptions()
        options.delayMilliseconds = drainDelay.milliseconds
        options.timeoutMilliseconds = drainTimeout.milliseconds
        options.graceMilliseconds = drainGrace.milliseconds
        return options
    }

    /// Where the admin listener is; empty for none.
    /// - Throws: `ValidationError` that names the flag or the variable.
    func adminAddresses(environment: [String: String]) throws -> [SocketAddress] {
        let addresses =
            admin.isEmpty
            ? try AdminAddress.list(from: environment["POSTSCALE_ADMIN"] ?? "")
            : admin.map(\.address)
        try FlagCheck.checkDistinct("--admin", addresses)
        return addresses
    }

    /// The user and group that the process becomes; nil when it stays as it is.
    /// - Throws: `ValidationError` that names the flag.
    func identity() throws -> ProcessIdentity? {
        guard let user else {
            guard group == nil else {
                throw ValidationError("--group without --user: give both, or --user alone.")
            }
            return nil
        }
        return try ProcessIdentity(user: user, group: group)
    }
}

/// Where the admin listener is: an address with its port, or a port of 127.0.0.1.
struct AdminAddress: ExpressibleByArgument, Equatable, Sendable {
    var address: SocketAddress

    init?(argument: String) {
        let text = argument.contains(":") ? argument : "127.0.0.1:\(argument)"
        guard let address = SocketAddress(text), address.port > 0 else { return nil }
        self.address = address
    }

    /// Addresses separated by commas, as in the environment.
    /// - Throws: `ValidationError` that names the variable.
    static func list(from text: String) throws -> [SocketAddress] {
        try text.split(separator: ",").map { text in
            guard let entry = AdminAddress(argument: text.filter { $0 != " " }) else {
                throw ValidationError(
                    "POSTSCALE_ADMIN=\(text): give address:port or a port, such as 127.0.0.1:9587.")
            }
            return entry.address
        }
    }
}
