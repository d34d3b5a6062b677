// Attachments: base64 straight from the input into the request wherever it is base64 already.
//
// An attachment's object is begun with its first byte, because the API refuses an empty one; an
// empty part is counted instead. The API's limits are checked as the bytes pass.

import Wire

extension MessageMapper {
    func feedAttachment(_ content: Bytes) {
        switch attachment.path {
        case .filter: filter(content)
        case .encode: encode(content)
        case .recode:
            var taken = 0
            while taken < content.count && failure == nil {
                var region = Region(scratch.decoded)
                taken += attachment.transfer.feed(content.extracting(taken...), into: &region)
                encode(region.bytes)
            }
        }
        checkSize()
    }

    func finishAttachment() {
        switch attachment.path {
        case .filter: finishFilter()
        case .encode: finishEncoder()
        case .recode:
            var isDone = false
            while !isDone {
                var region = Region(scratch.decoded)
                isDone = attachment.transfer.finish(into: &region)
                encode(region.bytes)
            }
            finishEncoder()
        }
        checkSize()
        losses.encodingsIrregular += attachment.irregularCount
        attachmentsBytes += attachment.byteCount
        if attachment.isOpen {
            sink.literal("\"}")
            attachment.isOpen = false
        } else {
            losses.attachmentsEmpty += 1
        }
    }

    private func filter(_ content: Bytes) {
        var taken = 0
        while !attachment.isOpen && taken < content.count {
            // Whether there is anything but line ends shows in a small region first.
            var region = Region(scratch.decoded)
            let probe = content.extracting(taken..<min(taken + 64, content.count))
            taken += attachment.filter.feed(probe, into: &region)
            openAttachment(with: region.bytes)
            guard failure == nil else { return }
        }
        guard taken < content.count else { return }
        sink.drive { region in
            taken += attachment.filter.feed(content.extracting(taken...), into: &region)
            return taken == content.count
        }
    }

    private func finishFilter() {
        if attachment.isOpen { return sink.drive { attachment.filter.finish(into: &$0) } }
        var region = Region(scratch.decoded)
        _ = attachment.filter.finish(into: &region)
        openAttachment(with: region.bytes)
    }

    private func encode(_ bytes: Bytes) {
        guard bytes.count > 0 else { return }
        if !attachment.isOpen { openAttachment() }
        guard failure == nil else { return }
        attachment.encodedBytes += bytes.count
        var taken = 0
        sink.drive { region in
            taken += attachment.encoder.feed(bytes.extracting(taken...), into: &region)
            return taken == bytes.count
        }
    }

    private func finishEncoder() {
        guard attachment.isOpen else { return }
        sink.drive { attachment.encoder.finish(into: &$0) }
    }

    /// Opens the attachment when `base64`, its first bytes, is not empty.
    private func openAttachment(with base64: Bytes) {
        guard base64.count > 0 else { return }
        openAttachment()
        if attachment.isOpen { sink.copy(base64) }
    }

    private func openAttachment() {
        let (name, type, id) = (attachment.filename, attachment.mediaType, attachment.contentID)
        guard attachmentCount < options.attachmentsMax else {
            let reason = "Message has more than \(options.attachmentsMax) attachments"
            return fail(.attachmentLimit(isSize: false, reason: Array(reason.utf8)))
        }
        attachmentCount += 1
        sink.literal(isAttachmentOpen ? ",{\"filename\":" : ",\"attachments\":[{\"filename\":")
        isAttachmentOpen = true
        attachment.isOpen = true
        sink.string(name.span)
        sink.literal(",\"content_type\":")
        sink.string(type.span)
        if options.hasInlineContentID && !id.isEmpty {
            sink.literal(",\"content_id\":")
            sink.string(id.span)
        }
        sink.literal(",\"content\":\"")
    }

    private func checkSize() {
        if attachment.byteCount > options.attachmentBytesMax {
            let reason = "Attachment exceeds maximum of \(options.attachmentBytesMax) bytes"
            fail(.attachmentLimit(isSize: true, reason: Array(reason.utf8)))
        } else if attachmentsBytes + attachment.byteCount > options.attachmentsBytesMax {
            let reason = "Attachments exceed maximum of \(options.attachmentsBytesMax) bytes"
            fail(.attachmentLimit(isSize: true, reason: Array(reason.utf8)))
        }
    }
}
