// What headers of other mail services say: tags and metadata become ours (`--map-foreign-headers`).
//
// For people who move over and cannot change what their programs write. Settings that have no
// counterpart, and JSON that cannot be read, are counted and left out; nothing here refuses a
// message. Names and forms are those that the services document:
//
//   SendGrid    X-SMTPAPI {"category": …, "unique_args": {…}}
//   Mailgun     X-Mailgun-Tag (repeated), X-Mailgun-Variables {…}
//   Postmark    X-PM-Tag, X-PM-Metadata-NAME
//   Mandrill    X-MC-Tags a,b   X-MC-Metadata {…}
//   Amazon SES  X-SES-MESSAGE-TAGS a=b, c=d   X-SES-CONFIGURATION-SET
//   Mailjet     X-MJ-CustomID
//   Brevo       X-Mailin-Tag

import Wire

/// The tags and metadata in other services' headers of one message. Linear in their size.
struct ForeignFields {
    /// In the order of their appearance; may repeat.
    private(set) var tags: [[UInt8]] = []
    /// Of a key that comes twice the first value counts.
    private(set) var metadata = Metadata()

    /// Reads them out of the header block; what is left out is counted.
    init(_ block: Bytes, _ fields: inout HeaderFields, _ findings: inout Findings) {
        var lostCount = 0
        for field in fields.list {
            switch field.id {
            case .smtpAPI, .mailgunTag, .mailgunVariables, .postmarkTag, .postmarkMetadataKey,
                .mandrillTags, .mandrillMetadata, .sesTags, .sesConfigurationSet,
                .mailjetCustomID, .brevoTag:
                fields.decode(field, in: block)
                guard fields.text.count > 0 else { continue }
                lostCount += take(field.id, name: block.extracting(field.name), fields.text)
            default: continue
            }
        }
        findings.count(.foreignSettings, lostCount)
    }

    /// Takes one header's text.
    /// - Returns: how many settings of it are left out.
    private mutating func take(_ id: FieldName, name: Bytes, _ text: Bytes) -> Int {
        switch id {
        case .smtpAPI: return takeSMTPAPI(text)
        case .mailgunVariables, .mandrillMetadata: return add(object: text)
        case .mailgunTag, .postmarkTag, .brevoTag: tags.append(text.copied())
        case .mandrillTags: text.forEachListed { tags.append($0.copied()) }
        case .postmarkMetadataKey:
            let key = name.extracting(Self.postmarkKeyStart..<name.count)
            metadata.setIfAbsent(key.copied(), to: text.copied())
        case .sesTags: return takePairs(text)
        case .mailjetCustomID:
            metadata.setIfAbsent(Array("CustomID".utf8), to: text.copied())
        default: return 1
        }
        return 0
    }

    private static var postmarkKeyStart: Int { "X-PM-Metadata-".utf8.count }

    private mutating func add(object text: Bytes) -> Int {
        var members = Metadata()
        guard members.add(object: text) == nil else { return 1 }
        metadata.add(new: members)
        return 0
    }

    /// "name=value, name=value"
    private mutating func takePairs(_ text: Bytes) -> Int {
        var lostCount = 0
        text.forEachListed { pair in
            let mark = pair.firstIndex(of: UInt8(ascii: "=")) ?? 0
            let key = pair.trimmed(0..<mark)
            if key.isEmpty {
                lostCount += 1
            } else {
                let value = pair.trimmed(mark + 1..<pair.count)
                metadata.setIfAbsent(
                    pair.extracting(key).copied(), to: pair.extracting(value).copied())
            }
        }
        return lostCount
    }

    /// `category` (a text or a list of texts) and `unique_args`; everything else steers sending.
    private mutating func takeSMTPAPI(_ text: Bytes) -> Int {
        guard Metadata.fault(inObject: text) == nil else { return 1 }
        var lostCount = 0
        var reader = JSONReader()
        _ = reader.next(text)
        while case .key(let key) = reader.next(text), let value = reader.skipValue(text) {
            let content = text.extracting(text.trimmed(value))
            switch JSONReader.unescaped(text, key) {
            case "category": lostCount += takeCategories(content)
            case "unique_args": lostCount += add(object: content)
            default: lostCount += 1
            }
        }
        return lostCount
    }

    private mutating func takeCategories(_ value: Bytes) -> Int {
        var lostCount = 0
        var reader = JSONReader()
        var first = reader.next(value)
        if case .arrayStart = first { first = reader.next(value) }
        var token = first
        while true {
            switch token {
            case .string(let range):
                let tag = Metadata.clean(JSONReader.unescapedBytes(value, range))
                let trimmed = tag.span.trimmed(0..<tag.count)
                if !trimmed.isEmpty { tags.append(Array(tag[trimmed])) }
            case .number(let range): tags.append(value.extracting(range).copied())
            case .arrayEnd: break
            case .end, .invalid: return lostCount
            default: lostCount += 1
            }
            token = reader.next(value)
        }
    }
}
