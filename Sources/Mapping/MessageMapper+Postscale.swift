// X-Postscale-* headers: tags, metadata and template. They are for the API, never for recipients.

import Wire

extension MessageMapper {
    /// X-Postscale-Tags, comma-separated; all headers of that name together.
    func writeTags(_ block: Bytes) {
        guard fieldNames.contains(.postscaleTags) else { return }
        var isOpen = false
        for field in fields where field.id == .postscaleTags {
            withDecoded(block.extracting(field.value)) { text in
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
        }
        if isOpen { sink.literal("]") }
    }

    /// X-Postscale-Metadata and X-Postscale-Metadata-NAME.
    func writeMetadata(_ block: Bytes) {
        guard
            fieldNames.contains(.postscaleMetadata) || fieldNames.contains(.postscaleMetadataKey)
        else { return }
        var metadata = Metadata()
        for field in fields {
            switch field.id {
            case .postscaleMetadata:
                let fault = withDecoded(block.extracting(field.value)) { metadata.add(object: $0) }
                if let fault { refuse("bad X-Postscale-Metadata: \(fault)") }
            case .postscaleMetadataKey:
                let key = block.extracting(field.name).copied().dropFirst(Self.metadataKeyAt)
                let value = withDecoded(block.extracting(field.value)) { $0.copied() }
                if key.isEmpty {
                    losses.postscaleHeadersUnknown += 1
                } else {
                    metadata.set(Array(key), to: value)
                }
            default:
                break
            }
        }
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

    private static var metadataKeyAt: Int { "X-Postscale-Metadata-".utf8.count }

    /// Template, template id, variables and unsubscribe scope.
    func writeTemplate(_ block: Bytes) {
        writeSingle(.postscaleTemplate, ",\"template\":", block)
        writeSingle(.postscaleTemplateID, ",\"template_id\":", block)
        writeSingle(.postscaleUnsubscribeScope, ",\"unsubscribe_scope\":", block)
        writeVariables(block)
        if hasTemplate && fieldNames.contains(.subject) {
            losses.bodiesReplacedByTemplate += 1
        }
    }

    /// The first header of that name that has a value; others are counted as lost.
    private func writeSingle(_ id: FieldName, _ key: StaticString, _ block: Bytes) {
        guard fieldNames.contains(id) else { return }
        var isWritten = false
        for field in fields where field.id == id {
            withDecoded(block.extracting(field.value)) { text in
                if isWritten || text.count == 0 {
                    losses.headersNotPassed += 1
                } else {
                    sink.literal(key)
                    sink.string(text)
                    isWritten = true
                }
            }
        }
    }

    private func writeVariables(_ block: Bytes) {
        guard fieldNames.contains(.postscaleVariables) else { return }
        var isWritten = false
        for field in fields where field.id == .postscaleVariables {
            let fault: String? = withDecoded(block.extracting(field.value)) { text in
                if let fault = Metadata.fault(inObject: text) { return fault }
                if isWritten {
                    losses.headersNotPassed += 1
                } else {
                    sink.literal(",\"variables\":")
                    sink.copy(text)
                    isWritten = true
                }
                return nil
            }
            if let fault { refuse("bad X-Postscale-Variables: \(fault)") }
        }
    }

    private func refuse(_ reason: String) { fail(.unparsable(reason: Array(reason.utf8))) }
}
