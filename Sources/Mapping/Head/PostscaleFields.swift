// Writes what X-Postscale-* headers say: tags, metadata, template, variables, unsubscribe scope.
// They are for the API, never for recipients.
//
// A new field of the API that a header sets takes three files: its name in `FieldName` (Wire), its
// verdict in `HeaderPolicy`, and its line in `write` here.

import Wire

/// The fields of X-Postscale-* headers.
struct PostscaleFields {
    private let sink: JSONSink

    init(sink: JSONSink) { self.sink = sink }

    /// Writes each field whose header is there.
    func write(_ block: Bytes, _ fields: inout HeaderFields, _ findings: inout Findings) {
        writeTags(block, &fields)
        writeMetadata(block, &fields, &findings)
        writeSingle(.postscaleTemplate, ",\"template\":", block, &fields, &findings)
        writeSingle(.postscaleTemplateID, ",\"template_id\":", block, &fields, &findings)
        writeSingle(
            .postscaleUnsubscribeScope, ",\"unsubscribe_scope\":", block, &fields, &findings)
        writeVariables(block, &fields, &findings)
        if fields.hasTemplate && fields.contains(.subject) {
            findings.count(.bodiesReplacedByTemplate)
        }
    }

    /// X-Postscale-Tags, comma-separated; all headers of that name together.
    private func writeTags(_ block: Bytes, _ fields: inout HeaderFields) {
        guard fields.contains(.postscaleTags) else { return }
        var isOpen = false
        for field in fields.list where field.id == .postscaleTags {
            fields.decode(field, in: block)
            let text = fields.text
            var start = 0
            while start <= text.count {
                let end = text.firstIndex(of: 0x2C, from: start) ?? text.count
                let tag = text.extracting(text.trimmed(start..<end))
                if tag.count > 0 {
                    sink.literal(isOpen ? "," : ",\"tags\":[")
                    isOpen = true
                    sink.string(tag)
                }
                start = end + 1
            }
        }
        if isOpen { sink.literal("]") }
    }

    /// X-Postscale-Metadata and X-Postscale-Metadata-NAME.
    private func writeMetadata(
        _ block: Bytes, _ fields: inout HeaderFields, _ findings: inout Findings
    ) {
        guard fields.contains(.postscaleMetadata) || fields.contains(.postscaleMetadataKey)
        else { return }
        var metadata = Metadata()
        for field in fields.list {
            switch field.id {
            case .postscaleMetadata:
                fields.decode(field, in: block)
                if let fault = metadata.add(object: fields.text) {
                    findings.refuse(unparsable: "bad X-Postscale-Metadata: \(fault)")
                }
            case .postscaleMetadataKey:
                let key = block.extracting(field.name).copied().dropFirst(Self.metadataKeyStart)
                fields.decode(field, in: block)
                if key.isEmpty {
                    findings.count(.postscaleHeadersUnknown)
                } else {
                    metadata.set(Array(key), to: fields.text.copied())
                }
            default:
                break
            }
        }
        write(metadata)
    }

    private static var metadataKeyStart: Int { "X-Postscale-Metadata-".utf8.count }

    private func write(_ metadata: Metadata) {
        guard !metadata.isEmpty else { return }
        for index in metadata.keys.indices {
            let (key, value) = (metadata.keys[index], metadata.values[index])
            sink.literal(index == 0 ? ",\"metadata\":{" : ",")
            sink.string(key.span)
            sink.literal(":")
            sink.string(value.span)
        }
        sink.literal("}")
    }

    /// The first header of that name that has a value. Others are counted as lost.
    private func writeSingle(
        _ id: FieldName, _ key: StaticString, _ block: Bytes, _ fields: inout HeaderFields,
        _ findings: inout Findings
    ) {
        guard fields.contains(id) else { return }
        var isWritten = false
        for field in fields.list where field.id == id {
            fields.decode(field, in: block)
            if isWritten || fields.text.count == 0 {
                findings.count(.headersNotPassed)
            } else {
                sink.literal(key)
                sink.string(fields.text)
                isWritten = true
            }
        }
    }

    /// X-Postscale-Variables: the first one, as it is. Others are counted as lost.
    private func writeVariables(
        _ block: Bytes, _ fields: inout HeaderFields, _ findings: inout Findings
    ) {
        guard fields.contains(.postscaleVariables) else { return }
        var isWritten = false
        for field in fields.list where field.id == .postscaleVariables {
            fields.decode(field, in: block)
            if let fault = Metadata.fault(inObject: fields.text) {
                findings.refuse(unparsable: "bad X-Postscale-Variables: \(fault)")
            } else if isWritten {
                findings.count(.headersNotPassed)
            } else {
                sink.literal(",\"variables\":")
                sink.copy(fields.text)
                isWritten = true
            }
        }
    }
}
