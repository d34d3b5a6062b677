// One SMTP reply and how it is written (RFC 5321 4.2, RFC 3463, RFC 2034).
//
// A reply is one line of at most 512 bytes with its CRLF. Texts of ours are `StaticString`s; text
// from elsewhere (the API's message, a message id, a reason) is cleaned to printable ASCII and cut
// when it is written, so that nobody can put a line end or a control byte into our replies.

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

    /// nil for replies that carry none: the greeting, EHLO and HELO, 334, 354 (RFC 2034 4).
    package let status: Status?

    /// Text of ours; comes first.
    package let text: StaticString

    /// Text from elsewhere, not cleaned yet; comes behind `text`.
    package let detail: [UInt8]

    /// - Parameters:
    ///   - enhanced: RFC 3463 class, subject and detail; nil when the reply carries none.
    ///   - text: printable ASCII.
    ///   - detail: any bytes, written behind `text`.
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

    /// A reply with a text that is known at run time only; cleaned and cut to the line limit.
    package init(code: Int, enhanced: (Int, Int, Int), dynamicText: [UInt8]) {
        self.init(code, enhanced, "", detail: dynamicText)
    }

    /// Whether the reply refuses something: 4xx and 5xx.
    package var isFailure: Bool { code >= 400 }

    /// Writes the reply with its line end.
    /// - Parameters:
    ///   - output: must have room for `wireBytesMax` bytes.
    ///   - enhanced: puts the RFC 3463 status in front of the text, where there is one.
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
                // One blank and one character; a character that no longer fits ends the text.
                guard output.count + (isBlankPending ? 2 : 1) <= end else { return }
                if isBlankPending { output.append(0x20) }
                isBlankPending = false
                output.append(byte < 0x80 ? byte : 0x3F)
            }
        }
    }
}

extension Reply: Equatable {
    /// Same code, status and text on the wire before cleaning.
    package static func == (one: Reply, other: Reply) -> Bool {
        one.code == other.code && one.status == other.status && one.detail == other.detail
            && one.text.withUTF8Buffer { a in
                other.text.withUTF8Buffer { b in a.elementsEqual(b) }
            }
    }
}

extension Region {
    /// Writes `number` in decimal; there must be room for 20 bytes or its digits.
    package mutating func append(decimal number: Int) {
        if number < 0 { append(0x2D) }
        var divisor: UInt = 1
        while number.magnitude / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            append(UInt8(0x30 + number.magnitude / divisor % 10))
            divisor /= 10
        }
    }
}
