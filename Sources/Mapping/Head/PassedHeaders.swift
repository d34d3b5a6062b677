// Writes `headers` of the request: the fields that `HeaderPolicy` lets pass.
//
// A JSON object has each key once, so the values of fields of the same name are joined, or the first
// counts (`HeaderStyle`). Address
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

    /// Writes them, if there are any. What does not pass is counted as lost; an empty one is left out,
    /// and nothing is lost.
    mutating func write(
        _ block: Bytes, _ fields: inout HeaderFields, _ findings: inout Findings
    ) {
        group(block, fields.list, &findings)
        var isOpen = false
        for index in 0..<groups.count where groups.isFirst(index) {
            if writeField(from: index, isAfterField: isOpen, block, &fields, &findings) {
                isOpen = true
            }
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
            case .pass(let style): groups.add(field, style, in: block)
            case .dropped: findings.count(.headersNotPassed)
            case .postscaleUnknown: findings.count(.postscaleHeadersUnknown)
            case .carried, .postscale, .foreign: break
            }
        }
    }

    /// Writes the values of all fields of one name, joined, or the first of them.
    /// - Returns: whether there was any.
    private func writeField(
        from first: Int, isAfterField: Bool, _ block: Bytes, _ fields: inout HeaderFields,
        _ findings: inout Findings
    ) -> Bool {
        let style = groups.style(first)
        var place = Place(name: groups.field(first).name, isAfterField: isAfterField)
        var next: Int? = first
        while let index = next {
            next = groups.next(index)
            let field = groups.field(index)
            if style.isOnce, place.hasText {
                if !field.value.isEmpty { findings.count(.headersNotPassed) }
            } else if !style.isAddresses
                || !writeAddresses(field, &place, block, &fields, &findings)
            {
                writeText(field, style, &place, block, &fields)
            }
        }
        return place.hasText
    }

    /// Where the next value goes.
    private struct Place {
        var name: Range<Int>
        var isAfterField: Bool
        var hasText = false
    }

    /// What comes before a value: the name before the first one, and a separator before others.
    private func open(_ place: inout Place, _ separator: StaticString, _ block: Bytes) {
        if place.hasText { return sink.literal(separator) }
        sink.literal(place.isAfterField ? "\",\"" : ",\"headers\":{\"")
        sink.escaped(block.extracting(place.name))
        sink.literal("\":\"")
        place.hasText = true
    }

    private func writeText(
        _ field: HeaderField, _ style: HeaderStyle, _ place: inout Place, _ block: Bytes,
        _ fields: inout HeaderFields
    ) {
        fields.decode(field, in: block)
        if fields.text.count == 0 { return }
        open(&place, style == .words ? " " : ", ", block)
        if style == .onceURLs { writeURLs(fields.text) } else { sink.escaped(fields.text) }
    }

    /// Writes text without the blanks inside angle brackets, which come from folding (RFC 2369 2).
    private func writeURLs(_ text: Bytes) {
        var start = 0
        var index = 0
        var close = 0
        while index < text.count {
            if index >= close, text[index] == UInt8(ascii: "<") {
                close = text.firstIndex(of: UInt8(ascii: ">"), from: index) ?? 0
                if close == 0 { break }
            }
            if index < close, text[index] == 0x20 {
                sink.escaped(text.extracting(start..<index))
                start = index + 1
            }
            index += 1
        }
        sink.escaped(text.extracting(start..<text.count))
    }

    /// Writes a list of mailboxes, each in its written form.
    /// - Returns: false when the field has none. Nothing is lost then: it passes as text.
    private func writeAddresses(
        _ field: HeaderField, _ place: inout Place, _ block: Bytes, _ fields: inout HeaderFields,
        _ findings: inout Findings
    ) -> Bool {
        var reader = fields.mailboxes(of: field)
        let lossesBefore = fields.losses
        var isAny = false
        while true {
            switch fields.next(&reader, of: field, in: block) {
            case .mailbox:
                open(&place, ", ", block)
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
