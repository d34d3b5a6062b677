// Text bodies: from the input to the JSON string, through scratch regions only where a transfer
// encoding or a charset asks for it.

import Wire

extension MessageMapper {
    func startText(_ leaf: EntityTraits) {
        text.begin(leaf, isLate: isAttachmentOpen, charsets: charsets)
        if leaf.charset.kind == .unknown { losses.charsetsUnknown += 1 }
        if isAttachmentOpen { openLate() }
    }

    func feedText(_ content: Bytes) {
        if text.isIdentity { return convert(content) }
        var taken = 0
        while taken < content.count {
            var region = Region(scratch.decoded)
            taken += text.transfer.feed(content.extracting(taken...), into: &region)
            convert(region.bytes)
        }
    }

    func finishText() {
        if !text.isIdentity {
            var isDone = false
            while !isDone {
                var region = Region(scratch.decoded)
                isDone = text.transfer.finish(into: &region)
                convert(region.bytes)
            }
            losses.encodingsIrregular += text.transfer.irregularCount
        }
        if !text.isPassThrough { finishCharset() }
        guard text.isOpen else { return }
        let target = text.isLate ? lateSink : sink
        target.drive { text.escaper.finish(into: &$0) }
        target.literal("\"")
        losses.charactersReplaced += text.escaper.replacedCount
        text.isOpen = false
    }

    private func finishCharset() {
        var isDone = false
        while !isDone {
            var region = Region(scratch.converted)
            isDone = text.decoder.finish(into: &region)
            escape(region.bytes)
        }
        losses.charactersReplaced += text.decoder.replacedCount
    }

    private func convert(_ bytes: Bytes) {
        if text.isPassThrough { return escape(bytes) }
        var taken = 0
        while taken < bytes.count {
            var region = Region(scratch.converted)
            taken += text.decoder.feed(bytes.extracting(taken...), into: &region)
            escape(region.bytes)
        }
    }

    private func escape(_ bytes: Bytes) {
        guard bytes.count > 0 else { return }
        let target = text.isLate ? lateSink : sink
        if !text.isOpen { openText(in: target) }
        var taken = 0
        target.drive { region in
            taken += text.escaper.feed(bytes.extracting(taken...), into: &region)
            return taken == bytes.count
        }
    }

    /// Only now, with the first byte, is the part known not to be empty.
    private func openText(in target: JSONSink) {
        target.literal(text.isHTML ? ",\"html_body\":\"" : ",\"text_body\":\"")
        text.isOpen = true
        markTaken(isHTML: text.isHTML)
    }
}
