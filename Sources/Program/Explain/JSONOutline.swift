// A JSON text for people: one member per line, and long strings cut short.

import Wire

/// An indented copy of a JSON text.
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
        var isAfterKey = false
        while true {
            let token = reader.next(input)
            switch token {
            case .end, .invalid: return
            case .objectEnd, .arrayEnd: close(token == .objectEnd ? "}" : "]")
            case .key(let range):
                newLine()
                text += Self.quoted(input, range) + ": "
                isAfterKey = true
                continue
            default:
                if !isAfterKey, depth > 0 { newLine() }
                open(token, input)
            }
            isAfterKey = false
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
