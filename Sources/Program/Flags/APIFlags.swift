// Flags: the API that messages go to, and the connections to it.

import ArgumentParser

struct APIFlags: ParsableArguments {
    @Option(
        name: .customLong("api-url"),
        help: ArgumentHelp(
            "Base URL of the Postscale API (default: https://api.postscale.io).",
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
        name: .customLong("api-timeout"),
        help: ArgumentHelp(
            "How long a client may wait from its final dot to the reply; then 451.",
            valueName: "time"))
    var timeout = TimeSpan.seconds(50)

    @Option(
        name: .customLong("api-connect-timeout"),
        help: ArgumentHelp("TCP and TLS to the API must be up within this.", valueName: "time"))
    var connectTimeout = TimeSpan.seconds(10)

    @Option(
        name: .customLong("api-connections"),
        help: ArgumentHelp("Connections to the API, at most, per loop.", valueName: "count"))
    var connectionsMax = 256

    @Option(
        name: .customLong("api-queue"),
        help: ArgumentHelp(
            "Calls that may wait for a connection, at most, per loop; then 451.",
            valueName: "count"))
    var queueMax = 10_000

    @Option(
        name: .customLong("api-idle-timeout"),
        help: ArgumentHelp(
            "Close API connections unused for this long; keep it below the API's own limit.",
            valueName: "time"))
    var idleTimeout = TimeSpan.seconds(30)

    @Option(
        help: ArgumentHelp("Resolve the API's name again after this.", valueName: "time"))
    var dnsTTL = TimeSpan.seconds(30)

    @Option(
        help: ArgumentHelp(
            "The read that shows whether a key is valid, below the base URL.", valueName: "path"))
    var keyCheckPath = "/v1/emails?limit=1"

    @Option(
        help: ArgumentHelp(
            "A key found valid is not checked again for this long.", valueName: "time"))
    var keyTTL = TimeSpan.seconds(60)

    @Option(
        help: ArgumentHelp(
            "A refused key is refused again without asking for this long.", valueName: "time"))
    var refusedKeyTTL = TimeSpan.seconds(10)
}
