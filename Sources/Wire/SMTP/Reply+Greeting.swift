// The replies that name the host and the extensions: greeting, HELO and EHLO (RFC 5321 4.2, 4.1.1.1).
//
// They carry no enhanced status code (RFC 2034 4). Before TLS no AUTH is offered, so that no client
// sends a key in the clear; `AUTH=` is for clients of before RFC 2554 (Outlook Express and kin).

/// What EHLO offers.
package struct EHLOOptions: Equatable, Sendable {
    /// The session is over TLS: AUTH is offered, STARTTLS no more.
    package var isTLS: Bool
    /// SIZE (RFC 1870), bytes.
    package var messageBytesMax: Int
    /// LIMITS RCPTMAX (RFC 9422).
    package var recipientsMax: Int
    /// ENHANCEDSTATUSCODES (RFC 2034).
    package var hasEnhancedStatusCodes: Bool

    package init(
        isTLS: Bool, messageBytesMax: Int, recipientsMax: Int, hasEnhancedStatusCodes: Bool
    ) {
        self.isTLS = isTLS
        self.messageBytesMax = messageBytesMax
        self.recipientsMax = recipientsMax
        self.hasEnhancedStatusCodes = hasEnhancedStatusCodes
    }
}

extension Reply {
    /// The answer to EHLO is never longer than this.
    package static let ehloBytesMax = 1_024

    /// More of a host name than this is not written (RFC 5321 4.5.3.1.2).
    private static let hostnameBytesMax = 255

    /// `220 <hostname> ESMTP Postscale SMTP Relay`. Needs room for `wireBytesMax` bytes.
    package static func writeGreeting(hostname: Bytes, into output: inout Region) {
        precondition(output.room >= wireBytesMax)
        _ = output.append("220 ")
        writeHostname(hostname, into: &output)
        _ = output.append(" ESMTP Postscale SMTP Relay\r\n")
    }

    /// `250 <hostname>`, the answer to HELO. Needs room for `wireBytesMax` bytes.
    package static func writeHELO(hostname: Bytes, into output: inout Region) {
        precondition(output.room >= wireBytesMax)
        _ = output.append("250 ")
        writeHostname(hostname, into: &output)
        _ = output.append("\r\n")
    }

    /// The answer to EHLO: host name and extensions. Needs room for `ehloBytesMax` bytes.
    package static func writeEHLO(
        hostname: Bytes, options: EHLOOptions, into output: inout Region
    ) {
        precondition(output.room >= ehloBytesMax)
        _ = output.append("250-")
        writeHostname(hostname, into: &output)
        _ = output.append("\r\n250-PIPELINING\r\n250-SIZE ")
        output.append(decimal: options.messageBytesMax)
        _ = output.append("\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-LIMITS RCPTMAX=")
        output.append(decimal: options.recipientsMax)
        _ = output.append("\r\n")
        if options.hasEnhancedStatusCodes { _ = output.append("250-ENHANCEDSTATUSCODES\r\n") }
        _ = output.append(
            options.isTLS
                ? "250-AUTH PLAIN LOGIN\r\n250 AUTH=PLAIN LOGIN\r\n" : "250 STARTTLS\r\n")
    }

    private static func writeHostname(_ hostname: Bytes, into output: inout Region) {
        output.append(hostname.extracting(0..<min(hostname.count, hostnameBytesMax)))
    }
}
