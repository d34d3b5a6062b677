// Flags: the API that messages go to, the connections to it, and how long its answers about keys are
// believed.

import APIClient
import ArgumentParser
import Reactor
import Relay

extension APIHTTPChoice: ExpressibleByArgument {}

struct APIFlags: ParsableArguments {
    private static let defaults = APIOptions()
    private static let keyDefaults = KeyOptions()

    @Option(
        name: .customLong("api-url"),
        help: ArgumentHelp(
            "Base URL of the Postscale API (default: \(defaults.endpoint)).",
            discussion: """
                HTTPS, or plain HTTP to a loopback address for development. Environment: \
                POSTSCALE_API_URL.
                """, valueName: "url"))
    var url: String?

    @Option(
        name: .customLong("api-ca"),
        help: ArgumentHelp(
            "PEM file with the only authorities to trust for the API (default: the system's).",
            discussion: "Environment: POSTSCALE_API_CA.", valueName: "file"))
    var caFile: String?

    @Option(
        name: .customLong("api-http"),
        help: ArgumentHelp(
            "The HTTP that is spoken to the API: auto, 1.1 or 2.",
            discussion: """
                auto lets the API choose, and means 1.1 without TLS. 2 accepts nothing else.
                """, valueName: "version"))
    var http = defaults.http

    @Option(
        name: .customLong("api-timeout"),
        help: ArgumentHelp(
            "How long a client may wait from its final dot to the reply; then 451.",
            valueName: "time"))
    var timeout = TimeSpan(milliseconds: defaults.timeoutMilliseconds)

    @Option(
        name: .customLong("api-connect-timeout"),
        help: ArgumentHelp("TCP and TLS to the API must be up within this.", valueName: "time"))
    var connectTimeout = TimeSpan(milliseconds: defaults.connectTimeoutMilliseconds)

    @Option(
        name: .customLong("api-connections"),
        help: ArgumentHelp("Connections to the API, at most, per loop.", valueName: "count"))
    var connectionsMax = defaults.connectionsMax

    @Option(
        name: .customLong("api-queue"),
        help: ArgumentHelp(
            "Calls that may wait for a connection, at most, per loop; then 451.",
            valueName: "count"))
    var queueMax = defaults.queueMax

    @Option(
        name: .customLong("api-rate"),
        help: ArgumentHelp(
            "Bytes per second to the API, at most; customers share them (default: no limit).",
            valueName: "size"))
    var rate: ByteSize?

    @Option(
        name: .customLong("api-idle-timeout"),
        help: ArgumentHelp(
            "Close API connections unused for this long, or earlier if the API does.",
            valueName: "time"))
    var idleTimeout = TimeSpan(milliseconds: defaults.idleTimeoutMilliseconds)

    @Option(
        help: ArgumentHelp("Resolve the API's name again after this.", valueName: "time"))
    var dnsTTL = TimeSpan(milliseconds: defaults.dnsTTLMilliseconds)

    @Option(
        help: ArgumentHelp(
            "The read that shows whether a key is valid, below the base URL.", valueName: "path"))
    var keyCheckPath = defaults.keyCheckPath

    @Option(
        help: ArgumentHelp(
            "A key found valid is not checked again for this long.", valueName: "time"))
    var keyTTL = TimeSpan(milliseconds: keyDefaults.validTTLMilliseconds)

    @Option(
        help: ArgumentHelp(
            "A refused key is refused again without asking for this long.", valueName: "time"))
    var refusedKeyTTL = TimeSpan(milliseconds: keyDefaults.refusedTTLMilliseconds)

    /// - Parameter sandbox: where the sandbox listens; nil without one.
    /// - Throws: `ValidationError` with the flag, its value and what would do instead.
    func options(environment: [String: String], sandbox: SocketAddress?) throws -> APIOptions {
        var options = APIOptions()
        let given = url ?? environment["POSTSCALE_API_URL"]
        if let sandbox {
            if let given {
                throw ValidationError(
                    "--sandbox and an API URL (\(given)) exclude each other: leave one out.")
            }
            options.endpoint = try APIEndpoint(url: "http://\(sandbox)")
        } else if let given {
            options.endpoint = try APIEndpoint(url: given)
        }
        options.caFile = caFile ?? environment["POSTSCALE_API_CA"]
        try FlagCheck.check(
            keyCheckPath.hasPrefix("/")
                && keyCheckPath.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F },
            "--key-check-path", keyCheckPath, "a path such as \(Self.defaults.keyCheckPath)")
        options.keyCheckPath = keyCheckPath
        options.http = http
        options.timeoutMilliseconds = try FlagCheck.positive("--api-timeout", timeout)
        options.connectTimeoutMilliseconds = try FlagCheck.positive(
            "--api-connect-timeout", connectTimeout)
        options.connectionsMax = try FlagCheck.positive("--api-connections", connectionsMax)
        options.queueMax = try FlagCheck.positive("--api-queue", queueMax)
        if let rate {
            try FlagCheck.check(
                rate.bytes >= 65_536, "--api-rate", rate.defaultValueDescription,
                "64KB per second or more")
            options.bytesPerSecondMax = rate.bytes
        }
        options.idleTimeoutMilliseconds = try FlagCheck.positive(
            "--api-idle-timeout", idleTimeout)
        options.dnsTTLMilliseconds = try FlagCheck.positive("--dns-ttl", dnsTTL)
        return options
    }

    func keyOptions() -> KeyOptions {
        var options = KeyOptions()
        options.validTTLMilliseconds = keyTTL.milliseconds
        options.refusedTTLMilliseconds = refusedKeyTTL.milliseconds
        return options
    }
}
