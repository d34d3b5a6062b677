// What one message becomes for one envelope, and how that is shown: as text for people (the structure
// as a tree, then the request with long strings cut short), or as one line of JSON for programs.

import Mapping
import Relay
import Wire

/// What one message becomes for one envelope.
struct Explanation {
    var byteCount: Int
    var sender: [UInt8]
    var recipients: [[UInt8]]
    var structure: MessageStructure
    /// Each recipient gets its own call, in which it is `to`.
    var isGroup = false
    /// The API request as JSON; without `to` for a group, empty when the message is refused.
    var request: [UInt8] = []
    /// The reply to a message that is refused, without its line end.
    var refusal: String?
    var losses = MappingLosses()

    // MARK: For people

    /// Several lines with their line ends.
    func text(file: String) -> String {
        var lines = ["\(file): \(byteCount) bytes"]
        lines += structure.entities.map(Self.line)
        if losses.sum > 0 { lines.append("lost: \(losses.explanation)") }
        if let refusal {
            lines.append("refused: \(refusal)")
        } else if isGroup {
            lines.append("\(recipients.count) calls, each with one of the recipients as \"to\":")
        }
        if refusal == nil { lines.append(JSONOutline(request).text) }
        return lines.joined(separator: "\n") + "\n"
    }

    /// `  image/png attachment "a.png" <id> base64, 120 bytes`
    private static func line(_ entity: MessageStructure.Entity) -> String {
        let head = entity.head
        var words = [head.mediaType.span.copiedText()]
        if !entity.isMultipart {
            if head.isAttachment { words.append("attachment") }
            if !head.filename.isEmpty { words.append("\"\(head.filename.span.copiedText())\"") }
            if !head.contentID.isEmpty { words.append("<\(head.contentID.span.copiedText())>") }
            if head.encoding != .identity { words.append(head.encoding.label) }
            words.append("\(entity.byteCount) bytes")
        }
        return String(repeating: "  ", count: entity.depth + 1) + words.joined(separator: " ")
    }

    // MARK: For programs

    /// One JSON object without a line end.
    func json(file: String) -> [UInt8] {
        var text: [UInt8] = []
        text.append(text: "{\"file\":")
        text.append(jsonString: file)
        text.append(text: ",\"bytes\":\(byteCount),\"from\":")
        text.append(jsonString: sender.span)
        text.append(text: ",\"rcpt\":")
        text.append(jsonArray: recipients) { $0.append(jsonString: $1.span) }
        text.append(text: ",\"structure\":")
        text.append(jsonArray: structure.entities) { Self.append($1, to: &$0) }
        text.append(text: ",\"losses\":{")
        var isFirst = true
        for kind in MappingLosses.Kind.allCases where losses[kind] > 0 {
            text.append(text: "\(isFirst ? "" : ",")\"\(kind.name)\":\(losses[kind])")
            isFirst = false
        }
        text.append(text: "},\"lost\":")
        text.append(jsonArray: losses.phrases) { $0.append(jsonString: $1) }
        if isGroup { text.append(text: ",\"group\":true") }
        if let refusal {
            text.append(text: ",\"refused\":")
            text.append(jsonString: refusal)
        } else {
            text.append(text: ",\"request\":")
            text.append(bytes: request.span)
        }
        text.append(text: "}")
        return text
    }

    private static func append(_ entity: MessageStructure.Entity, to text: inout [UInt8]) {
        let head = entity.head
        text.append(text: "{\"depth\":\(entity.depth),\"type\":")
        text.append(jsonString: head.mediaType.span)
        if !entity.isMultipart {
            text.append(text: ",\"encoding\":\"\(head.encoding.label)\"")
            text.append(
                text: ",\"disposition\":\"\(head.isAttachment ? "attachment" : "inline")\"")
            if !head.filename.isEmpty {
                text.append(text: ",\"filename\":")
                text.append(jsonString: head.filename.span)
            }
            if !head.contentID.isEmpty {
                text.append(text: ",\"content_id\":")
                text.append(jsonString: head.contentID.span)
            }
            text.append(text: ",\"bytes\":\(entity.byteCount),\"sha256\":\"\(entity.sha256)\"")
        }
        text.append(text: "}")
    }
}

extension TransferEncoding {
    /// As RFC 2045 writes it.
    fileprivate var label: String {
        switch self {
        case .identity: "identity"
        case .base64: "base64"
        case .quotedPrintable: "quoted-printable"
        case .uuencode: "uuencode"
        case .unknown: "unknown"
        }
    }
}
