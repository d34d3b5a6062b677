// Flags: what a client may do and how long it may take.

import ArgumentParser

struct LimitFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp("Largest message; then 552.", valueName: "size"))
    var maxMessageSize = ByteSize.megabytes(50)

    @Option(
        help: ArgumentHelp("Recipients of one message, at most; then 452.", valueName: "count"))
    var maxRecipients = 100

    @Option(
        help: ArgumentHelp(
            "Close a session that sends nothing for this long.", valueName: "time"))
    var idleTimeout = TimeSpan.seconds(60)

    @Option(
        help: ArgumentHelp("Close a session after this long in all.", valueName: "time"))
    var sessionTimeout = TimeSpan.minutes(30)

    @Option(
        help: ArgumentHelp(
            "Slowest upload, per second, averaged after the first ten seconds.",
            valueName: "size"))
    var minDataRate = ByteSize.kilobytes(1)

    @Option(
        help: ArgumentHelp("Refused commands in one session; then 421.", valueName: "count"))
    var maxErrors = 20

    @Option(
        help: ArgumentHelp("Failed logins in one session; then 421.", valueName: "count"))
    var maxFailedLogins = 3

    @Option(
        help: ArgumentHelp("Connections from one address at a time.", valueName: "count"))
    var maxConnectionsPerAddress = 1_000

    @Option(
        help: ArgumentHelp(
            "Connections from one /24 (IPv4) or /64 (IPv6) at a time.", valueName: "count"))
    var maxConnectionsPerPrefix = 4_000

    @Option(
        help: ArgumentHelp(
            "Failed logins of one address in ten minutes; then it is turned away.",
            valueName: "count"))
    var maxFailedLoginsPerAddress = 300

    @Option(
        help: ArgumentHelp(
            "Failed logins of one /24 or /64 in ten minutes; then it is turned away.",
            valueName: "count"))
    var maxFailedLoginsPerPrefix = 1_000

    @Option(
        help: ArgumentHelp(
            "Each failed login of a session but the first is answered this much later than the "
                + "one before it.", valueName: "time"))
    var failedLoginDelay = TimeSpan.seconds(1)

    @Option(
        help: ArgumentHelp(
            "TLS handshakes that one address may begin in a minute; then 421.",
            valueName: "count"))
    var maxHandshakesPerAddress = 6_000

    @Option(
        help: ArgumentHelp(
            "TLS handshakes that one /24 or /64 may begin in a minute; then 421.",
            valueName: "count"))
    var maxHandshakesPerPrefix = 24_000

    @Option(
        help: ArgumentHelp(
            "Memory that messages in flight may hold (default: a quarter of this machine's, or of the control group's limit).",
            valueName: "size"))
    var memoryBudget: ByteSize?

    @Option(
        help: ArgumentHelp(
            "Requests up to this size are held whole; larger ones go out while they arrive.",
            valueName: "size"))
    var bufferThreshold = ByteSize.kilobytes(256)
}
