// The grammar of a send: which fields there are and of which type.
//
// Unknown fields are skipped, as the API does. `null` is the same as absent. Text sizes are
// bounded by the request's own bound, nesting by the JSON reader's.

import Wire

/// Reads one request body, field by field.
struct SendRequestParser {
    private let body: [UInt8]
    private let limits: SandboxLimits
    private var reader = JSONReader()
    private var request = SendRequest()
    private var decodedBytes = 0

    init(body: [UInt8], limits: SandboxLimits) {
        self.body = body
        self.limits = limits
    }

    /// Reads the whole text; the rules between fields are the caller's to check.
    mutating func parse() throws(SendFault) -> SendRequest {
        guard case .objectStart = try next() else {
            throw .invalid("request body must be a JSON object")
        }
        while true {
            switch try next() {
            case .key(let range): try field(JSONReader.unescaped(body.span, range))
            case .objectEnd:
                guard case .end = try next() else {
                    throw .invalid("unexpected text behind the request body's object")
                }
                return request
            default: throw .invalid("request body must be a JSON object")
            }
        }
    }

    private mutating func field(_ name: String) throws(SendFault) {
        switch name {
        case "from": request.from = try text(name) ?? ""
        case "to": request.to = try texts(name)
        case "cc": request.cc = try texts(name)
        case "bcc": request.bcc = try texts(name)
        case "subject": request.subject = try text(name)
        case "html_body": request.hasHTML = try isNonEmptyText(name)
        case "text_body": request.hasText = try isNonEmptyText(name)
        case "template", "template_id":
            if let template = try text(name), !template.isEmpty { request.template = template }
        case "unsubscribe_scope": _ = try string(name)
        case "variables", "metadata":
            try object(name) { (parser, token) throws(SendFault) in try parser.skip(token) }
        case "headers":
            try object(name) { (parser, token) throws(SendFault) in try parser.header(token) }
        case "tags": _ = try texts(name)
        case "attachments": try attachments()
        default: try skip(next())
        }
    }

    // MARK: Values

    private mutating func next() throws(SendFault) -> JSONReader.Token {
        let body = self.body
        let token = reader.next(body.span)
        if case .invalid(let position) = token {
            throw .invalid("request body is not valid JSON: syntax error at byte \(position)")
        }
        return token
    }

    /// The range of a string; nil for `null`.
    private mutating func string(_ name: String) throws(SendFault) -> Range<Int>? {
        switch try next() {
        case .string(let range): return range
        case .null: return nil
        default: throw .invalid("\"\(name)\" must be a string")
        }
    }

    private mutating func text(_ name: String) throws(SendFault) -> String? {
        guard let range = try string(name) else { return nil }
        return JSONReader.unescaped(body.span, range)
    }

    private mutating func isNonEmptyText(_ name: String) throws(SendFault) -> Bool {
        guard let range = try string(name) else { return false }
        return !range.isEmpty
    }

    private mutating func texts(_ name: String) throws(SendFault) -> [String] {
        switch try next() {
        case .null: return []
        case .arrayStart: break
        default: throw .invalid("\"\(name)\" must be an array of strings")
        }
        var result: [String] = []
        while true {
            switch try next() {
            case .string(let range): result.append(JSONReader.unescaped(body.span, range))
            case .arrayEnd: return result
            default: throw .invalid("\"\(name)\" must be an array of strings")
            }
        }
    }

    /// Reads an object or `null`; `value` gets the first token of each value.
    private mutating func object(
        _ name: String,
        _ value: (inout SendRequestParser, JSONReader.Token) throws(SendFault) -> Void
    ) throws(SendFault) {
        switch try next() {
        case .null: return
        case .objectStart: break
        default: throw .invalid("\"\(name)\" must be an object")
        }
        while true {
            switch try next() {
            case .key: try value(&self, next())
            case .objectEnd: return
            default: throw .invalid("\"\(name)\" must be an object")
            }
        }
    }

    /// Reads the rest of the value that `first` begins.
    private mutating func skip(_ first: JSONReader.Token) throws(SendFault) {
        var depth = 0
        var token = first
        while true {
            switch token {
            case .objectStart, .arrayStart: depth += 1
            case .objectEnd, .arrayEnd: depth -= 1
            default: break
            }
            if depth == 0 { return }
            token = try next()
        }
    }

    private mutating func header(_ token: JSONReader.Token) throws(SendFault) {
        guard case .string(let range) = token else {
            throw .invalid(#"the values of "headers" must be strings"#)
        }
        let value = JSONReader.unescaped(body.span, range)
        if value.utf8.contains(where: { $0 == 0x0D || $0 == 0x0A }) {
            throw .invalid(#"the values of "headers" must not contain line ends"#)
        }
    }

    // MARK: Attachments

    private mutating func attachments() throws(SendFault) {
        switch try next() {
        case .null: return
        case .arrayStart: break
        default: throw .invalid(#""attachments" must be an array"#)
        }
        while true {
            switch try next() {
            case .objectStart: try attachment()
            case .arrayEnd: return
            default: throw .invalid(#""attachments" must be an array of objects"#)
            }
        }
    }

    private mutating func attachment() throws(SendFault) {
        let place = "attachments[\(request.attachments.count)]"
        if request.attachments.count == limits.attachmentsMax {
            throw .invalid("more than \(limits.attachmentsMax) attachments")
        }
        var filename: String?
        var content: Range<Int>?
        var contentType = ""
        reading: while true {
            switch try next() {
            case .key(let key):
                let name = JSONReader.unescaped(body.span, key)
                switch name {
                case "filename": filename = try text("\(place).filename")
                case "content": content = try string("\(place).content")
                case "content_type": contentType = try text("\(place).content_type") ?? ""
                case "content_id": _ = try string("\(place).content_id")
                default: try skip(next())
                }
            case .objectEnd: break reading
            default: throw .invalid(#""attachments" must be an array of objects"#)
            }
        }
        guard let filename, !filename.isEmpty else {
            throw .invalid("\"\(place).filename\" is required")
        }
        guard let content, !content.isEmpty else {
            throw .invalid("\"\(place).content\" is required")
        }
        try add(place, filename, contentType, content)
    }

    private mutating func add(
        _ place: String, _ filename: String, _ contentType: String, _ content: Range<Int>
    ) throws(SendFault) {
        guard let bytes = AttachmentContent.decodedCount(body.span, content) else {
            throw .invalid("\"\(place).content\" is not valid base64")
        }
        if bytes > limits.attachmentBytesMax {
            throw .tooLarge("attachment \(filename) exceeds \(limits.attachmentBytesMax) bytes")
        }
        decodedBytes += bytes
        if decodedBytes > limits.attachmentsBytesMax {
            throw .tooLarge("attachments exceed \(limits.attachmentsBytesMax) bytes in all")
        }
        request.attachments.append(
            SendRequest.Attachment(
                filename: filename, contentType: contentType, content: content,
                decodedBytes: bytes))
    }
}
