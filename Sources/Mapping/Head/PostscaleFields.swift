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
    /// - Parameter foreign: what other services' headers say, if it is to be mapped. Our own headers
    ///   win over it.
    func write(
        _ block: Bytes, _ fields: inout HeaderFields, _ findings: inout Findings,
        foreign: ForeignFields? = nil
    ) {
        if fields.contains(.postscaleTags) || foreign != nil {
            writeTags(block, &fields, foreign?.tags ?? [])
        }
        if fields.contains(.postscaleMetadata) || fields.contains(.postscaleMetadataKey)
            || foreign != nil
        {
            writeMetadata(block, &fields, &findings, foreign?.metadata)
        }
        writeSingle(.postscaleTemplate, ",\"template\":", block, &fields, &findings)
        writeSingle(.postscaleTemplateID, ",\"template_id\":", block, &fields, &findings)
        writeSingle(
            .postscaleUnsubscribeScope, ",\"unsubscribe_scope\":", block, &fields, &findings)
        writeVariables(block, &fields, &findings)
        if fields.hasTemplate && fields.contains(.subject) {
            findings.count(.bodiesReplacedByTemplate)
        }
    }

    /// X-Postscale-Tags, comma-separated; all headers of that name together. Of other services' tags
    /// those that are new.
    private func writeTags(_ block: Bytes, _ fields: inout HeaderFields, _ foreign: [[UInt8]]) {
        var isOpen = false
        var seen = Set<[UInt8]>()
        for field in fields.list where field.id == .postscaleTags {
            fields.decode(field, in: block)
            fields.text.forEachListed { tag in
                writeTag(tag, &isOpen)
                if !foreign.isEmpty { seen.insert(tag.copied()) }
            }
        }
        for tag in foreign where seen.insert(tag).inserted { writeTag(tag.span, &isOpen) }
        if isOpen { sink.literal("]") }
    }

    private func writeTag(_ tag: Bytes, _ isOpen: inout Bool) {
        sink.literal(isOpen ? "," : ",\"tags\":[")
        isOpen = true
        sink.string(tag)
    }

    /// X-Postscale-Metadata and X-Postscale-Metadata-NAME, then other services' keys that are new. An
    /// empty X-Postscale-Metadata is none.
    private func writeMetadata(
        _ block: Bytes, _ fields: inout HeaderFields, _ findings: inout Findings,
        _ foreign: Metadata?
    ) {
        var metadata = Metadata()
        for field in fields.list {
            switch field.id {
            case .postscaleMetadata:
                fields.decode(field, in: block)
                if fields.text.isEmpty { continue }
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
        if let foreign { metadata.add(new: foreign) }
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
            if fields.text.isEmpty { continue }
            if let fault = Metadata.fault(inObject: fields.text) {
                findings.refuse(unparsable: "bad X-Postscale-Variables: \(fault)")
            } else if isWritten {
                findings.count(.headersNotPassed)
            } else {
                sink.literal(",\"variables\":")
                let text = Metadata.withoutControls(inJSON: fields.text)
                if let text { sink.copy(text.span) } else { sink.copy(fields.text) }
                isWritten = true
            }
        }
    }
}
