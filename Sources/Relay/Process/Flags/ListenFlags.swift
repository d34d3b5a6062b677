// Flags: where mail clients connect, and with which certificate.

import ArgumentParser

struct ListenFlags: ParsableArguments {
    @Option(
        name: .customLong("listen"),
        help: ArgumentHelp(
            "Listen here for STARTTLS clients. Repeatable.",
            discussion: """
                An address with its port: 0.0.0.0:587, [::]:587, 127.0.0.1:2525. Without any \
                --listen and --listen-tls: ports 587, 2525 and 2587, and 465 with TLS from the \
                first byte, on all IPv4 and IPv6 addresses; with --sandbox 127.0.0.1:2525 and \
                127.0.0.1:2587, and 127.0.0.1:2465 with TLS.
                """,
            valueName: "address:port"))
    var startTLS: [AddressArgument] = []

    @Option(
        name: .customLong("listen-tls"),
        help: ArgumentHelp(
            "Listen here for clients that speak TLS from the first byte. Repeatable.",
            valueName: "address:port"))
    var implicitTLS: [AddressArgument] = []

    @Option(
        help: ArgumentHelp(
            "The relay's name in its greeting (default: this host's name).",
            discussion: "Environment: POSTSCALE_HOSTNAME.", valueName: "name"))
    var hostname: String?

    @Option(
        help: ArgumentHelp(
            "PEM file with the certificate and its chain.",
            discussion: "Environment: POSTSCALE_TLS_CERT.", valueName: "file"))
    var tlsCert: String?

    @Option(
        help: ArgumentHelp(
            "PEM file with the certificate's private key.",
            discussion: "Environment: POSTSCALE_TLS_KEY.", valueName: "file"))
    var tlsKey: String?

    @Option(
        help: ArgumentHelp(
            "Write the certificate in use to this file, for clients that should verify it.",
            discussion: "For the certificate that --sandbox makes when none is given.",
            valueName: "file"))
    var writeCertificate: String?
}
