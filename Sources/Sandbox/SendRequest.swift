// The body of `POST /v1/send`, read and checked as the API does it.
//
// A pull parser over the whole text: texts that may be large (bodies, attachments) stay ranges of
// the body and are never copied; only addresses, names and the subject become strings. A refusal
// names the field, or the byte where the JSON breaks.

import Wire

/// A valid send.
package struct SendRequest {
    package struct Attachment {
        var filename: String
        var contentType: String
        /// The base64 text in the body, between its quotes and still escaped.
        package var content: Range<Int>
        /// Bytes when decoded.
        var decodedBytes: Int
    }

    package enum Result {
        case valid(SendRequest)
        /// 400 and why.
        case invalid(String)
        /// 413 and why.
        case tooLarge(String)
    }

    var from = ""
    var to: [String] = []
    var cc: [String] = []
    var bcc: [String] = []
    var subject: String?
    var hasText = false
    var hasHTML = false
    /// The template's name or id; nil without one.
    var template: String?
    package var attachments: [Attachment] = []

    package var recipients: [String] { to + cc + bcc }

    /// Reads and checks a whole request body.
    package static func parse(_ body: [UInt8], limits: SandboxLimits = .api) -> Result {
        if let position = invalidUTF8Position(body.span) {
            return .invalid("request body is not valid UTF-8 at byte \(position)")
        }
        var parser = SendRequestParser(body: body, limits: limits)
        do throws(SendFault) {
            let request = try parser.parse()
            try request.check()
            return .valid(request)
        } catch {
            switch error {
            case .invalid(let message): return .invalid(message)
            case .tooLarge(let message): return .tooLarge(message)
            }
        }
    }

    private static func invalidUTF8Position(_ body: Bytes) -> Int? {
        do throws(UTF8.ValidationError) {
            _ = try UTF8Span(validating: body)
            return nil
        } catch {
            return error.byteOffsets.lowerBound
        }
    }

    /// The rules between fields.
    private func check() throws(SendFault) {
        if from.isEmpty { throw .invalid(#""from" is required"#) }
        if to.isEmpty { throw .invalid(#""to" must contain at least one recipient"#) }
        for (name, list) in [("from", [from]), ("to", to), ("cc", cc), ("bcc", bcc)] {
            for text in list where SendAddress(text) == nil {
                throw .invalid("\"\(name)\" is not a valid email address: \(text)")
            }
        }
        if template != nil {
            if subject != nil || hasText || hasHTML {
                throw .invalid(
                    "a template is mutually exclusive with subject, html_body and text_body")
            }
        } else {
            if subject?.isEmpty ?? true { throw .invalid(#""subject" is required"#) }
            if !hasText && !hasHTML {
                throw .invalid(#""html_body" or "text_body" is required"#)
            }
        }
    }
}

/// Why a send is refused.
enum SendFault: Error {
    case invalid(String)
    case tooLarge(String)
}

/// `user@example.com` or `Name <user@example.com>`, checked lightly.
package struct SendAddress {
    /// The bare address.
    package let address: Substring
    /// After the last `@`, lower case.
    let domain: String

    /// - Returns: nil when `text` is not an address.
    package init?(_ text: String) {
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return nil }
        var bare = Substring(text)
        if text.hasSuffix(">"), let open = text.lastIndex(of: "<") {
            bare = text[text.index(after: open)...].dropLast()
        }
        guard let at = bare.lastIndex(of: "@"), bare.utf8.count <= 320 else { return nil }
        let local = bare[..<at]
        let host = bare[bare.index(after: at)...]
        let isQuoted = local.hasPrefix("\"") && local.hasSuffix("\"") && local.count > 2
        let forbidden: Set<Character> = [" ", "@", "<", ">", ",", ";"]
        guard !local.isEmpty, isQuoted || !local.contains(where: forbidden.contains),
            !host.isEmpty, !host.contains(where: forbidden.contains), !host.hasPrefix("."),
            !host.hasSuffix("."), !host.contains("..")
        else { return nil }
        address = bare
        domain = host.lowercased()
    }
}
