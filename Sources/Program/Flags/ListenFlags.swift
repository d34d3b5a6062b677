// Flags: where mail clients connect, and with which certificate.

import ArgumentParser
import Reactor

extension AddressBlock: ExpressibleByArgument {
    /// "10.0.0.0/24"; nil for what is no block of addresses.
    public init?(argument: String) { self.init(argument) }
}

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
        name: .customLong("proxy-from"),
        help: ArgumentHelp(
            "Balancers whose connections begin with a PROXY header. Repeatable.",
            discussion: """
                An address or a block of them: 10.0.0.5, 10.0.0.0/24, fd00::/64. The header \
                (version 1 or 2) is required from there, and its address is the client's in limits \
                and in the log. From anywhere else it is not understood.
                """, valueName: "address/bits"))
    var proxies: [AddressBlock] = []

    @Option(
        help: ArgumentHelp(
            "The relay's name in its greeting (default: this host's name).",
            discussion: "Environment: POSTSCALE_HOSTNAME.", valueName: "name"))
    var hostname: String?

    @Option(
        help: ArgumentHelp(
            "PEM file with a certificate and its chain. Repeatable; see --tls-folder.",
            discussion: "Environment: POSTSCALE_TLS_CERT.", valueName: "file"))
    var tlsCert: [String] = []

    @Option(
        help: ArgumentHelp(
            "PEM file with the certificate's private key: one for each --tls-cert, in their order.",
            discussion: "Environment: POSTSCALE_TLS_KEY.", valueName: "file"))
    var tlsKey: [String] = []

    @Option(
        help: ArgumentHelp(
            "Folder with fullchain.pem and privkey.pem, or with such folders. Repeatable.",
            discussion: """
                As certbot writes them: /etc/letsencrypt/live/smtp.example.com, or \
                /etc/letsencrypt/live. Of several certificates the name that a client asks for \
                chooses; a client that asks for none gets the one for --hostname, or else the \
                first. Without any certificate: the folder $CREDENTIALS_DIRECTORY (systemd). \
                SIGHUP reads all certificates again.
                """, valueName: "folder"))
    var tlsFolder: [String] = []

    @Option(
        help: ArgumentHelp(
            "File of session ticket keys, 80 bytes each, for relays that share their clients.",
            discussion: """
                The first key seals, all open: openssl rand 80 >ticket.key. Without it the relay \
                makes keys of its own and changes them every six hours. SIGHUP reads it again.
                """, valueName: "file"))
    var ticketKeys: String?

    @Option(
        help: ArgumentHelp(
            "Write the certificate in use to this file, for clients that should verify it.",
            discussion: "For the certificate that --sandbox makes when none is given.",
            valueName: "file"))
    var writeCertificate: String?
}
