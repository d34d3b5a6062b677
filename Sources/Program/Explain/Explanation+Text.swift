// An explanation for people: the structure as a tree, then the request with long texts cut short.

import Wire

extension Explanation {
    /// Several lines with their line ends.
    func text(file: String) -> String {
        var lines = ["\(file): \(byteCount) bytes"]
        lines += structure.entities.map(Self.line)
        if losses.sum > 0 { lines.append("lost: \(losses.summary)") }
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
}

/// A JSON text with one member a line, and long strings cut short.
struct JSONOutline {
    private(set) var text = ""
    private var depth = 0
    private var isFirst = true

    /// Bytes of a string, escapes included, that are shown.
    private static let shownBytesMax = 100

    /// - Parameter json: a valid JSON text.
    init(_ json: [UInt8]) {
        let input = json.span
        var reader = JSONReader()
        var isBehindKey = false
        while true {
            let token = reader.next(input)
            switch token {
            case .end, .invalid: return
            case .objectEnd, .arrayEnd: close(token == .objectEnd ? "}" : "]")
            case .key(let range):
                newLine()
                text += Self.quoted(input, range) + ": "
                isBehindKey = true
                continue
            default:
                if !isBehindKey, depth > 0 { newLine() }
                open(token, input)
            }
            isBehindKey = false
        }
    }

    private mutating func newLine() {
        text += isFirst ? "\n" : ",\n"
        isFirst = false
        text += String(repeating: "  ", count: depth)
    }

    private mutating func open(_ token: JSONReader.Token, _ input: Bytes) {
        switch token {
        case .objectStart, .arrayStart:
            text += token == .objectStart ? "{" : "["
            depth += 1
            isFirst = true
        case .string(let range): text += Self.quoted(input, range)
        case .number(let range): text += input.extracting(range).copiedText()
        case .bool(let value): text += value ? "true" : "false"
        default: text += "null"
        }
    }

    private mutating func close(_ bracket: String) {
        depth -= 1
        if !isFirst { text += "\n" + String(repeating: "  ", count: depth) }
        isFirst = false
        text += bracket
    }

    private static func quoted(_ input: Bytes, _ range: Range<Int>) -> String {
        guard range.count > shownBytesMax else {
            return "\"\(input.extracting(range).copiedText())\""
        }
        let shown = input.extracting(range.lowerBound..<range.lowerBound + shownBytesMax)
        return "\"\(shown.copiedText())… (\(range.count) bytes)\""
    }
}
