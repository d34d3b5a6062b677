// Flags: what a client may do and how long it may take, and the memory of all messages.

import ArgumentParser
import Relay

/// The limits of clients; SIGHUP reads them again.
struct ClientLimitFlags: ParsableArguments {
    private static let session = SessionLimits()
    private static let abuse = AbuseLimits()

    @Option(
        help: ArgumentHelp("Largest message; then 552.", valueName: "size"))
    var maxMessageSize = ByteSize(bytes: session.messageBytesMax)

    @Flag(help: "Do not offer CHUNKING and BINARYMIME, and refuse BDAT.")
    var noChunking = false

    @Option(
        help: ArgumentHelp("Recipients of one message, at most; then 452.", valueName: "count"))
    var maxRecipients = session.recipientsMax

    @Option(
        help: ArgumentHelp(
            "Close a session that sends nothing for this long.", valueName: "time"))
    var idleTimeout = TimeSpan(milliseconds: session.idleTimeoutMilliseconds)

    @Option(
        help: ArgumentHelp("Close a session after this long in all.", valueName: "time"))
    var sessionTimeout = TimeSpan(milliseconds: session.sessionTimeoutMilliseconds)

    @Option(
        help: ArgumentHelp(
            "Slowest upload, per second, over the last 15 seconds in which bytes came.",
            valueName: "size"))
    var minDataRate = ByteSize(bytes: session.dataRateMin)

    @Option(
        help: ArgumentHelp("Refused commands in one session; then 421.", valueName: "count"))
    var maxErrors = session.errorsMax

    @Option(
        help: ArgumentHelp("Failed logins in one session; then 421.", valueName: "count"))
    var maxFailedLogins = session.failedLoginsMax

    @Option(
        help: ArgumentHelp("Connections from one address at a time.", valueName: "count"))
    var maxConnectionsPerAddress = abuse.connectionsPerAddressMax

    @Option(
        help: ArgumentHelp(
            "Connections from one /24 (IPv4) or /64 (IPv6) at a time.", valueName: "count"))
    var maxConnectionsPerPrefix = abuse.connectionsPerPrefixMax

    @Option(
        help: ArgumentHelp(
            "Failed logins of one address in ten minutes; then it is turned away.",
            valueName: "count"))
    var maxFailedLoginsPerAddress = abuse.failedLoginsPerAddressMax

    @Option(
        help: ArgumentHelp(
            "Failed logins of one /24 or /64 in ten minutes; then it is turned away.",
            valueName: "count"))
    var maxFailedLoginsPerPrefix = abuse.failedLoginsPerPrefixMax

    @Option(
        help: ArgumentHelp(
            "Each failed login of a session but the first is answered this much later than the "
                + "one before it.", valueName: "time"))
    var failedLoginDelay = TimeSpan(milliseconds: session.failedLoginDelayMilliseconds)

    @Option(
        help: ArgumentHelp(
            "TLS handshakes that one address may begin in a minute; then 421.",
            valueName: "count"))
    var maxHandshakesPerAddress = abuse.handshakesPerAddressMax

    @Option(
        help: ArgumentHelp(
            "TLS handshakes that one /24 or /64 may begin in a minute; then 421.",
            valueName: "count"))
    var maxHandshakesPerPrefix = abuse.handshakesPerPrefixMax

    /// - Throws: `ValidationError` with the flag, its value and what would do instead.
    func sessionLimits() throws -> SessionLimits {
        var limits = SessionLimits()
        limits.messageBytesMax = try FlagCheck.positive(
            "--max-message-size", maxMessageSize.bytes)
        limits.hasChunking = !noChunking
        limits.recipientsMax = try FlagCheck.positive("--max-recipients", maxRecipients)
        limits.idleTimeoutMilliseconds = try FlagCheck.positive("--idle-timeout", idleTimeout)
        limits.sessionTimeoutMilliseconds = try FlagCheck.positive(
            "--session-timeout", sessionTimeout)
        limits.dataRateMin = minDataRate.bytes
        limits.errorsMax = try FlagCheck.positive("--max-errors", maxErrors)
        limits.failedLoginsMax = try FlagCheck.positive("--max-failed-logins", maxFailedLogins)
        try FlagCheck.check(
            failedLoginDelay.milliseconds <= 30_000, "--failed-login-delay",
            failedLoginDelay.defaultValueDescription, "a time of at most 30s")
        limits.failedLoginDelayMilliseconds = failedLoginDelay.milliseconds
        return limits
    }

    /// - Throws: `ValidationError` with the flag, its value and what would do instead.
    func abuseLimits() throws -> AbuseLimits {
        var limits = AbuseLimits()
        limits.connectionsPerAddressMax = try FlagCheck.positive(
            "--max-connections-per-address", maxConnectionsPerAddress)
        limits.connectionsPerPrefixMax = try FlagCheck.positive(
            "--max-connections-per-prefix", maxConnectionsPerPrefix)
        limits.failedLoginsPerAddressMax = try FlagCheck.positive(
            "--max-failed-logins-per-address", maxFailedLoginsPerAddress)
        limits.failedLoginsPerPrefixMax = try FlagCheck.positive(
            "--max-failed-logins-per-prefix", maxFailedLoginsPerPrefix)
        limits.handshakesPerAddressMax = try FlagCheck.positive(
            "--max-handshakes-per-address", maxHandshakesPerAddress)
        limits.handshakesPerPrefixMax = try FlagCheck.positive(
            "--max-handshakes-per-prefix", maxHandshakesPerPrefix)
        return limits
    }
}

struct LimitFlags: ParsableArguments {
    @OptionGroup var clients: ClientLimitFlags

    @Option(
        help: ArgumentHelp(
            "Memory that messages in flight may hold (default: a quarter of this machine's, or of the control group's limit).",
            valueName: "size"))
    var memoryBudget: ByteSize?

    @Option(
        help: ArgumentHelp(
            "Requests up to this size are held whole; larger ones go out while they arrive.",
            valueName: "size"))
    var bufferThreshold = ByteSize(bytes: MessageOptions().bufferThresholdBytes)

    /// - Throws: `ValidationError` when it would not hold one message.
    func memoryBudgetBytes() throws -> Int {
        let bytes = memoryBudget?.bytes ?? availableMemoryBytes() / 4 / 1_048_576 * 1_048_576
        try FlagCheck.check(
            bytes >= bufferThreshold.bytes, "--memory-budget", "\(bytes)",
            "at least --buffer-threshold (\(bufferThreshold.bytes) bytes)")
        return bytes
    }
}
