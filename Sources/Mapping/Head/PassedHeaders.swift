// Writes `headers` of the request: the fields that `HeaderPolicy` lets pass.
//
// A JSON object has each key once, so the values of fields of the same name are joined. Address
// headers are written mailbox by mailbox: decoding must not change what their commas mean.

import Wire

/// The `headers` of one request after the other.
struct PassedHeaders {
    private let policy: HeaderPolicy
    private let scratch: MapperScratch
    private let sink: JSONSink
    private var groups = HeaderGroups()

    init(policy: HeaderPolicy, scratch: MapperScratch, sink: JSONSink) {
        self.policy = policy
        self.scratch = scratch
        self.sink = sink
    }

    /// Writes them, if there are any. What does not pass is counted as lost.
    mutating func write(
        _ block: Bytes, _ fields: inout HeaderFields, _ findings: inout Findings
    ) {
        group(block, fields.list, &findings)
        var isOpen = false
        for index in 0..<groups.count where groups.isFirst(index) {
            sink.literal(isOpen ? "\",\"" : ",\"headers\":{\"")
            isOpen = true
            sink.escaped(block.extracting(groups.field(index).name))
            sink.literal("\":\"")
            writeValues(from: index, block, &fields, &findings)
        }
        if isOpen { sink.literal("\"}") }
    }

    /// Sorts the fields that pass by name.
    private mutating func group(
        _ block: Bytes, _ list: [HeaderField], _ findings: inout Findings
    ) {
        groups.reset(forCount: list.count)
        for field in list {
            switch policy.verdict(on: field.id, name: block.extracting(field.name)) {
            case .pass: groups.add(field, isAddresses: false, in: block)
            case .passAddresses: groups.add(field, isAddresses: true, in: block)
            case .dropped: findings.count(.headersNotPassed)
            case .postscaleUnknown: findings.count(.postscaleHeadersUnknown)
            case .carried, .postscale: break
            }
        }
    }

    /// The values of all fields of one name, joined.
    private func writeValues(
        from first: Int, _ block: Bytes, _ fields: inout HeaderFields, _ findings: inout Findings
    ) {
        var hasText = false
        var next: Int? = first
        while let index = next {
            let field = groups.field(index)
            if groups.isAddresses(index),
                writeAddresses(field, isAfterText: hasText, block, &fields, &findings)
            {
                hasText = true
            } else if writeText(field, isAfterText: hasText, block, &fields) {
                hasText = true
            }
            next = groups.next(index)
        }
    }

    private func writeText(
        _ field: HeaderField, isAfterText: Bool, _ block: Bytes, _ fields: inout HeaderFields
    ) -> Bool {
        fields.decode(field, in: block)
        if fields.text.count == 0 { return false }
        if isAfterText { sink.literal(", ") }
        sink.escaped(fields.text)
        return true
    }

    /// Writes a list of mailboxes, each in its written form.
    /// - Returns: false when the field has none. Nothing is lost then: it passes as text.
    private func writeAddresses(
        _ field: HeaderField, isAfterText: Bool, _ block: Bytes, _ fields: inout HeaderFields,
        _ findings: inout Findings
    ) -> Bool {
        var reader = fields.mailboxes(of: field)
        let lossesBefore = fields.losses
        var isAny = false
        while true {
            switch fields.next(&reader, of: field, in: block) {
            case .mailbox:
                if isAny || isAfterText { sink.literal(", ") }
                isAny = true
                sink.mailbox(reader.displayName, reader.address, using: scratch)
            case .end:
                if !isAny { fields.restore(lossesBefore) }
                return isAny
            case .tooManyTokens:
                findings.refuseTooManyAddresses()
                return true
            }
        }
    }
}
