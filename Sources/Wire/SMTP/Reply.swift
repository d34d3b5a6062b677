// One SMTP reply and how it is written (RFC 5321 4.2, RFC 3463, RFC 2034).
//
// A reply is one line of at most 512 bytes with its CRLF; only EHLO has more lines. Our own texts
// are `StaticString`s. Text from elsewhere (the API's message, a message id, a reason) is cleaned
// to printable ASCII and cut when it is written, so it cannot put a line end or a control byte into
// our replies. The greeting and the answers to HELO and EHLO carry no enhanced status code (RFC
// 2034 4).

import CEpoll.Kernels

/// One SMTP reply: code, RFC 3463 status, text.
package struct Reply: Sendable {
    /// An enhanced status code, `class.subject.detail` (RFC 3463 2).
    package struct Status: Equatable, Sendable {
        package var statusClass: UInt8
        package var subject: UInt16
        package var detail: UInt16
    }

    /// A reply is never longer than this, CRLF included (RFC 5321 4.5.3.1.5).
    package static let wireBytesMax = 512

    /// The three-digit reply code.
    package let code: Int

    /// nil for replies without one: the greeting, EHLO and HELO, 334, 354 (RFC 2034 4).
    package let status: Status?

    /// Our own text; comes first.
    package let text: StaticString

    /// Text from elsewhere, not cleaned yet; comes after `text`.
    package let detail: [UInt8]

    /// - Parameters:
    ///   - enhanced: RFC 3463 class, subject and detail; nil when the reply carries none.
    ///   - text: printable ASCII.
    ///   - detail: any bytes, written after `text`.
    package init(
        _ code: Int, _ enhanced: (Int, Int, Int)?, _ text: StaticString, detail: [UInt8] = []
    ) {
        precondition(code >= 200 && code < 600)
        self.code = code
        status = enhanced.map {
            Status(statusClass: UInt8($0.0), subject: UInt16($0.1), detail: UInt16($0.2))
        }
        self.text = text
        self.detail = detail
    }

    /// A reply with a text that is known only at run time; cleaned and cut to the line limit.
    package init(code: Int, enhanced: (Int, Int, Int), dynamicText: [UInt8]) {
        self.init(code, enhanced, "", detail: dynamicText)
    }

    /// Whether the reply refuses something: 4xx and 5xx.
    package var isFailure: Bool { code >= 400 }

    /// Writes the reply with its line end.
    /// - Parameters:
    ///   - output: must have room for `wireBytesMax` bytes.
    ///   - enhanced: writes the RFC 3463 status before the text, if the reply has one.
    package func write(into output: inout Region, enhanced: Bool) {
        precondition(output.room >= Self.wireBytesMax)
        let end = output.count + Self.wireBytesMax - 2
        output.append(decimal: code)
        output.append(0x20)
        if enhanced, let status {
            output.append(decimal: Int(status.statusClass))
            output.append(0x2E)
            output.append(decimal: Int(status.subject))
            output.append(0x2E)
            output.append(decimal: Int(status.detail))
            output.append(0x20)
        }
        _ = output.append(text)
        Self.writeCleaned(detail.span, into: &output, upTo: end)
        _ = output.append("\r\n")
    }

    /// Writes `bytes` as printable ASCII: runs of blanks and control bytes as one space (none at
    /// the ends), every character beyond ASCII as `?`. Stops at offset `end` of `output`.
    private static func writeCleaned(_ bytes: Bytes, into output: inout Region, upTo end: Int) {
        let start = output.count
        var isBlankPending = false
        var i = 0
        while i < bytes.count, output.count < end {
            if !isBlankPending {
                let run = bytes.extracting(i..<min(bytes.count, i + end - output.count))
                let visible = run.withUnsafeBufferPointer {
                    ck_visible_length($0.baseAddress, $0.count)
                }
                output.append(run.extracting(0..<visible))
                i += visible
                if visible > 0 { continue }
            }
            let byte = bytes[i]
            i += 1
            if byte <= 0x20 || byte == 0x7F {
                isBlankPending = output.count > start
            } else if byte & 0xC0 != 0x80 {
                // One blank and one character; a character that does not fit any more ends the
                // text.
                guard output.count + (isBlankPending ? 2 : 1) <= end else { return }
                if isBlankPending { output.append(0x20) }
                isBlankPending = false
                output.append(byte < 0x80 ? byte : 0x3F)
            }
        }
    }
}

extension Reply: Equatable {
    /// Same code, status and text before cleaning.
    package static func == (one: Reply, other: Reply) -> Bool {
        one.code == other.code && one.status == other.status && one.detail == other.detail
            && one.text.withUTF8Buffer { a in
                other.text.withUTF8Buffer { b in a.elementsEqual(b) }
            }
    }
}

// MARK: - Greeting, HELO, EHLO

/// What EHLO offers.
package struct EHLOOptions: Equatable, Sendable {
    /// The session is over TLS: AUTH is offered, STARTTLS is not. Before TLS no AUTH is offered, so
    /// that no client sends a key in the clear.
    package var isTLS: Bool
    /// SIZE (RFC 1870), bytes.
    package var messageBytesMax: Int
    /// LIMITS RCPTMAX (RFC 9422).
    package var recipientsMax: Int
    /// CHUNKING and BINARYMIME (RFC 3030).
    package var hasChunking: Bool
    /// ENHANCEDSTATUSCODES (RFC 2034).
    package var hasEnhancedStatusCodes: Bool

    package init(
        isTLS: Bool, messageBytesMax: Int, recipientsMax: Int, hasChunking: Bool,
        hasEnhancedStatusCodes: Bool
    ) {
        self.isTLS = isTLS
        self.messageBytesMax = messageBytesMax
        self.recipientsMax = recipientsMax
        self.hasChunking = hasChunking
        self.hasEnhancedStatusCodes = hasEnhancedStatusCodes
    }
}

extension Reply {
    /// The answer to EHLO is never longer than this.
    package static let ehloBytesMax = 1_024

    /// A longer host name is cut to this (RFC 5321 4.5.3.1.2).
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

    /// The answer to EHLO: host name and extensions. Needs room for `ehloBytesMax` bytes. `AUTH=` is for
    /// clients older than RFC 2554, such as Outlook Express.
    package static func writeEHLO(
        hostname: Bytes, options: EHLOOptions, into output: inout Region
    ) {
        precondition(output.room >= ehloBytesMax)
        _ = output.append("250-")
        writeHostname(hostname, into: &output)
        _ = output.append("\r\n250-PIPELINING\r\n250-SIZE ")
        output.append(decimal: options.messageBytesMax)
        _ = output.append("\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n")
        if options.hasChunking { _ = output.append("250-CHUNKING\r\n250-BINARYMIME\r\n") }
        _ = output.append("250-LIMITS RCPTMAX=")
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

extension Reply {
    /// The reply as it is sent, without its line end.
    package var line: String {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Reply.wireBytesMax) { memory in
            var region = Region(memory)
            write(into: &region, enhanced: false)
            return region.bytes.extracting(0..<region.count - 2).copiedText()
        }
    }
}
