// Flags: how a message becomes a call of the API, and how replies look.

import ArgumentParser
import Mapping
import Relay

/// How messages become API requests: flags of `run` and of `explain`.
struct MappingFlags: ParsableArguments {
    private static let defaults = MappingOptions()

    @Flag(help: "Send recipients as bare addresses, without their display names.")
    var bareRecipients = false

    @Flag(
        name: .customLong("no-inline-content-id"),
        help: "Leave out `content_id` with inline parts.")
    var omitsInlineContentID = false

    @Option(
        name: .customLong("pass-header"),
        help: ArgumentHelp(
            "Pass this header on although it would not be (Date, Message-ID, Received…). "
                + "Repeatable.", valueName: "name"))
    var passedHeaders: [String] = []

    @Flag(
        help: ArgumentHelp(
            "Refuse signed and encrypted mail (S/MIME, PGP/MIME) with 554.",
            discussion: """
                The API builds messages anew: a signature is lost, and encrypted content arrives as \
                a file. Without this flag such mail is sent, and the loss is counted.
                """))
    var refuseEncrypted = false

    @Flag(
        help: ArgumentHelp(
            "Map tags and metadata of other services' headers (X-SMTPAPI, X-Mailgun-Tag, X-PM-Tag…).",
            discussion: "Those headers are not delivered then; without the flag they pass."))
    var mapForeignHeaders = false

    @Option(
        help: ArgumentHelp("Attachments of one message; then 554.", valueName: "count"))
    var maxAttachments = defaults.attachmentsMax

    @Option(
        help: ArgumentHelp("Decoded size of one attachment; then 552.", valueName: "size"))
    var maxAttachmentSize = ByteSize(bytes: defaults.attachmentBytesMax)

    @Option(
        help: ArgumentHelp("Decoded size of all attachments together; then 552.", valueName: "size")
    )
    var maxAttachmentsSize = ByteSize(bytes: defaults.attachmentsBytesMax)

    @Option(
        help: ArgumentHelp(
            "Size of a message times its hidden recipients, who get a call each; then 552.",
            valueName: "size"))
    var groupBytes = ByteSize(bytes: defaults.groupBytesMax)

    /// - Throws: `ValidationError` with the flag, its value and what would do instead.
    func options() throws -> MappingOptions {
        for name in passedHeaders {
            let isName = name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x3A }
            try FlagCheck.check(!name.isEmpty && isName, "--pass-header", name, "a header's name")
        }
        var options = MappingOptions()
        options.hasBareRecipients = bareRecipients
        options.hasInlineContentID = !omitsInlineContentID
        options.refusesProtected = refuseEncrypted
        options.passedHeaders = passedHeaders.map { $0.lowercased() }
        options.mapsForeignHeaders = mapForeignHeaders
        options.attachmentsMax = try FlagCheck.positive("--max-attachments", maxAttachments)
        options.attachmentBytesMax = try FlagCheck.positive(
            "--max-attachment-size", maxAttachmentSize.bytes)
        options.attachmentsBytesMax = try FlagCheck.positive(
            "--max-attachments-size", maxAttachmentsSize.bytes)
        options.groupBytesMax = try FlagCheck.positive("--group-bytes", groupBytes.bytes)
        return options
    }
}

struct MessageFlags: ParsableArguments {
    private static let defaults = MessageOptions()

    @Option(
        help: ArgumentHelp(
            "Where to remember who has which message: memory, a file, or a server (default: $POSTSCALE_LEDGER, else memory).",
            discussion: """
                Messages whose 250 the client can't have seen, and hidden recipients that have a \
                message which others did not get yet, are not sent again. A restart forgets what is \
                in memory. A file is a SQLite database for one relay at a time; `postscale-relay \
                ledger FILE` shows it. A Valkey or Redis server is for a fleet: \
                valkey://[user@]host[:port][/database], or valkeys:// over TLS.
                """, valueName: "memory|file|url"))
    var ledger: String?

    @Option(
        help: ArgumentHelp(
            "File with `user=`, `password=` and `secret=` lines for the server of --ledger.",
            discussion: """
                The secret is the fleet's own: with one, who can read the server cannot even try \
                addresses. Environment: POSTSCALE_LEDGER_CREDENTIALS.
                """, valueName: "file"))
    var ledgerCredentials: String?

    @Option(
        name: .customLong("ledger-ca"),
        help: ArgumentHelp(
            "PEM file with the only authorities to trust for valkeys:// (default: the system's).",
            discussion: "Environment: POSTSCALE_LEDGER_CA.", valueName: "file"))
    var ledgerCA: String?

    @Option(
        help: ArgumentHelp(
            "How long to remember a message whose 250 the client can't have seen.",
            discussion: "When it is sent again, it is answered without a second call.",
            valueName: "time"))
    var duplicateWindow = TimeSpan(milliseconds: defaults.duplicateWindowMilliseconds)

    @Option(
        help: ArgumentHelp(
            "How long to remember which hidden recipients have a message that others did not get.",
            discussion: "Longer than mail servers keep trying, which is five days.",
            valueName: "time"))
    var groupWindow = TimeSpan(milliseconds: defaults.groupWindowMilliseconds)

    @Option(
        help: ArgumentHelp(
            "Folder for unlinked temporary files (long texts, hidden recipients; default: the state folder).",
            discussion: """
                The state folder is $STATE_DIRECTORY, else $XDG_STATE_HOME/postscale-relay, else \
                ~/.local/state/postscale-relay. It is made if it is missing. Without a usable \
                folder, messages that need a file get 451.
                """, valueName: "folder"))
    var temporaryFolder: String?

    @Option(
        help: ArgumentHelp(
            "Bytes of all temporary files (default: an eighth of the folder's free space at start).",
            valueName: "size"))
    var temporaryBudget: ByteSize?

    @Flag(help: "Put RFC 3463 status codes into replies, and advertise ENHANCEDSTATUSCODES.")
    var enhancedStatusCodes = false

    @OptionGroup var replies: ReplyFlags

    /// - Parameter bufferThreshold: a flag of `LimitFlags`.
    /// - Parameter hasSandbox: what the environment says of the ledger is for a relay that serves.
    /// - Throws: `ValidationError`.
    func options(
        bufferThreshold: ByteSize, environment: [String: String], hasSandbox: Bool
    ) throws -> MessageOptions {
        var options = MessageOptions()
        options.ledger = try place(environment, hasSandbox: hasSandbox)
        options.groupWindowMilliseconds = groupWindow.milliseconds
        options.bufferThresholdBytes = bufferThreshold.bytes
        options.temporaryFolder = temporaryFolder
        options.temporaryBytesMax = temporaryBudget?.bytes
        options.duplicateWindowMilliseconds = duplicateWindow.milliseconds
        return options
    }

    private func place(
        _ environment: [String: String], hasSandbox: Bool
    ) throws -> LedgerPlace {
        let place = ledger ?? (hasSandbox ? nil : environment["POSTSCALE_LEDGER"]) ?? "memory"
        guard place.contains("://") else {
            try FlagCheck.check(
                !place.isEmpty, "--ledger", place,
                "`memory`, the path of a file, or a URL such as valkey://host:6379")
            return place == "memory" ? .memory : .file(place)
        }
        let address = LedgerServerAddress(url: place)
        // What is wrong may be a password: it is not shown.
        guard var address else {
            throw ValidationError(
                "--ledger: a URL is valkey://[user@]host[:port][/database], or valkeys:// over "
                    + "TLS. A password belongs into the file of --ledger-credentials.")
        }
        address.credentialsFile =
            ledgerCredentials ?? environment["POSTSCALE_LEDGER_CREDENTIALS"]
        address.caFile = ledgerCA ?? environment["POSTSCALE_LEDGER_CA"]
        return .server(address)
    }
}

/// How replies look; SIGHUP reads it again.
struct ReplyFlags: ParsableArguments {
    @Flag(
        help: """
            Say in a 452 which limit was met and how long to wait, and in a 250 what the message \
            lost on the way.
            """)
    var verboseReplies = false
}
