// The header block: sender, recipients, subject and the headers that pass.

import Wire

extension MessageMapper {
    /// Writes everything that the header block decides.
    func mapHead(_ block: Bytes) {
        collectFields(block)
        planRecipients(block)
        if planner.isGroup { hold() }
        sink.literal(planner.isGroup ? "\"from\":" : "{\"from\":")
        writeFrom(block)
        if !planner.isGroup { writeRecipients() }
        if !hasTemplate { writeSubject(block) }
        writeHeaders(block)
        writeTags(block)
        writeMetadata(block)
        writeTemplate(block)
    }

    private func collectFields(_ block: Bytes) {
        var scanner = HeaderScanner()
        while let field = scanner.next(block) {
            fields.append(field)
            fieldNames.insert(field.id)
            switch field.id {
            case .messageID:
                if !block.trimmed(field.value).isEmpty { hasMessageID = true }
            case .postscaleTemplate, .postscaleTemplateID:
                let value = block.extracting(field.value)
                if withDecoded(value, { $0.count > 0 }) { hasTemplate = true }
            default:
                break
            }
        }
        losses.headersMalformed += scanner.malformedCount
    }

    private func planRecipients(_ block: Bytes) {
        for field in fields {
            let place: RecipientList.Field
            switch field.id {
            case .to: place = .to
            case .cc: place = .cc
            default: continue
            }
            let value = block.extracting(field.value)
            var region = scratch.headerRegion(forValueOf: value.count)
            var parser = AddressParser()
            parsing: while true {
                switch parser.next(
                    value, charsets: charsets, into: &region, losses: &decodeLosses)
                {
                case .mailbox(let mailbox):
                    planner.name(
                        region.bytes.extracting(mailbox.address),
                        displayName: region.bytes.extracting(mailbox.displayName), in: place)
                    region.truncate(to: 0)
                case .end:
                    break parsing
                case .tooManyTokens:
                    failWithTooManyAddresses()
                    break parsing
                }
            }
        }
        planner.plan()
        losses.addressesNotInEnvelope += planner.strangerCount
    }

    /// The first mailbox of a From header, else MAIL FROM. That there are others is counted.
    private func writeFrom(_ block: Bytes) {
        var isWritten = false
        for field in fields {
            guard case .from = field.id else { continue }
            if isWritten {
                losses.headersNotPassed += 1
            } else {
                isWritten = writeFirstMailbox(block.extracting(field.value))
            }
        }
        guard !isWritten else { return }
        if sender.isEmpty {
            fail(.unparsable(reason: Array("no From header and a null sender".utf8)))
        }
        let sender = sender
        sink.string(sender.span)
    }

    private func writeFirstMailbox(_ value: Bytes) -> Bool {
        var region = scratch.headerRegion(forValueOf: value.count)
        var parser = AddressParser()
        switch parser.next(value, charsets: charsets, into: &region, losses: &decodeLosses) {
        case .mailbox(let mailbox):
            sink.literal("\"")
            writeMailbox(
                region.bytes.extracting(mailbox.displayName),
                region.bytes.extracting(mailbox.address))
            sink.literal("\"")
        case .end:
            return false
        case .tooManyTokens:
            failWithTooManyAddresses()
            return false
        }
        region.truncate(to: 0)
        let next = parser.next(value, charsets: charsets, into: &region, losses: &decodeLosses)
        if next != .end { losses.headersNotPassed += 1 }
        return true
    }

    private func writeRecipients() {
        let list = planner.list
        writeList(",\"to\":[", .to, list)
        writeList(",\"cc\":[", .cc, list)
        writeList(",\"bcc\":[", .bcc, list)
    }

    private func writeList(
        _ opening: StaticString, _ field: RecipientList.Field, _ list: RecipientList
    ) {
        var isOpen = false
        list.forEach(in: field) { index in
            sink.literal(isOpen ? ",\"" : opening)
            if !isOpen { sink.literal("\"") }
            isOpen = true
            if options.hasBareRecipients {
                sink.escaped(list.address(index))
            } else {
                writeMailbox(list.displayName(index), list.address(index))
            }
            sink.literal("\"")
        }
        if isOpen { sink.literal("]") }
    }

    /// `Name <addr>`, or the address alone, as a part of a JSON string.
    private func writeMailbox(_ displayName: Bytes, _ address: Bytes) {
        guard displayName.count > 0 else { return sink.escaped(address) }
        var region = scratch.mailboxRegion(forTextOf: displayName.count + address.count)
        AddressParser.format(displayName: displayName, address: address, into: &region)
        sink.escaped(region.bytes)
    }

    /// The first Subject header that has text; others that have some are counted.
    private func writeSubject(_ block: Bytes) {
        sink.literal(",\"subject\":")
        var isWritten = false
        for field in fields {
            guard case .subject = field.id else { continue }
            withDecoded(block.extracting(field.value)) { text in
                if text.count == 0 { return }
                if isWritten { losses.headersNotPassed += 1 } else { sink.string(text) }
                isWritten = true
            }
        }
        if !isWritten { sink.literal("\"(no subject)\"") }
    }

    private func writeHeaders(_ block: Bytes) {
        groups.reset(forCount: fields.count)
        for field in fields {
            switch policy.verdict(on: field.id, name: block.extracting(field.name)) {
            case .pass: groups.add(field, isAddresses: false, in: block)
            case .passAddresses: groups.add(field, isAddresses: true, in: block)
            case .dropped: losses.headersNotPassed += 1
            case .postscaleUnknown: losses.postscaleHeadersUnknown += 1
            case .carried, .postscale: break
            }
        }
        var isOpen = false
        for index in 0..<groups.count where groups.isFirst(index) {
            sink.literal(isOpen ? "," : ",\"headers\":{")
            isOpen = true
            sink.string(block.extracting(groups.field(index).name))
            sink.literal(":\"")
            writeValues(from: index, block)
            sink.literal("\"")
        }
        if isOpen { sink.literal("}") }
    }

    /// The values of all fields of one name, joined.
    private func writeValues(from first: Int, _ block: Bytes) {
        var hasText = false
        var next: Int? = first
        while let index = next {
            let value = block.extracting(groups.field(index).value)
            if groups.isAddresses(index), writeAddresses(value, isBehindText: hasText) {
                hasText = true
            } else if writeText(value, isBehindText: hasText) {
                hasText = true
            }
            next = groups.next(index)
        }
    }

    private func writeText(_ value: Bytes, isBehindText: Bool) -> Bool {
        withDecoded(value) { text in
            guard text.count > 0 else { return false }
            if isBehindText { sink.literal(", ") }
            sink.escaped(text)
            return true
        }
    }

    /// A list of mailboxes, each in its written form; false when there is none to be found, and
    /// nothing lost with that: the text passes as it is.
    private func writeAddresses(_ value: Bytes, isBehindText: Bool) -> Bool {
        var region = scratch.headerRegion(forValueOf: value.count)
        var parser = AddressParser()
        let lossesBefore = decodeLosses
        var isAny = false
        while true {
            switch parser.next(value, charsets: charsets, into: &region, losses: &decodeLosses) {
            case .mailbox(let mailbox):
                if isAny || isBehindText { sink.literal(", ") }
                isAny = true
                writeMailbox(
                    region.bytes.extracting(mailbox.displayName),
                    region.bytes.extracting(mailbox.address))
                region.truncate(to: 0)
            case .end:
                if !isAny { decodeLosses = lossesBefore }
                return isAny
            case .tooManyTokens:
                failWithTooManyAddresses()
                return true
            }
        }
    }

    private func failWithTooManyAddresses() {
        fail(.unparsable(reason: Array("too many addresses in a header".utf8)))
    }

    /// Decodes an unstructured header value and lends it, trimmed.
    func withDecoded<R>(_ value: Bytes, _ body: (Bytes) -> R) -> R {
        var region = scratch.headerRegion(forValueOf: value.count)
        EncodedWord.decode(value, charsets: charsets, into: &region, losses: &decodeLosses)
        let text = region.bytes
        return body(text.extracting(text.trimmed(0..<text.count)))
    }
}
