// An explanation as one line of JSON, for programs.

import Mapping
import Relay
import Wire

extension Explanation {
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
        for kind in MappingLosses.kinds where losses[keyPath: kind.count] > 0 {
            let count = losses[keyPath: kind.count]
            text.append(text: "\(isFirst ? "" : ",")\"\(kind.name)\":\(count)")
            isFirst = false
        }
        text.append(text: "}")
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
    var label: String {
        switch self {
        case .identity: "identity"
        case .base64: "base64"
        case .quotedPrintable: "quoted-printable"
        case .uuencode: "uuencode"
        case .unknown: "unknown"
        }
    }
}
