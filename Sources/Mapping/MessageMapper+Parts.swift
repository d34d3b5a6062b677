// The leaves of the MIME structure: which one is a body, which one an attachment.

import Wire

extension MessageMapper {
    /// The first inline text/plain and text/html that are not empty are the bodies; everything
    /// else is attached. A content in an unknown transfer encoding is no text (see `EntityHead`).
    func startLeaf(_ leaf: EntityTraits) {
        if leaf.encoding == .unknown { losses.encodingsIrregular += 1 }
        if isBody(leaf) {
            if hasTemplate {
                route = .nowhere
                losses.bodiesReplacedByTemplate += 1
                markTaken(isHTML: leaf.media == .textHTML)
            } else {
                route = .text
                startText(leaf)
            }
        } else {
            route = .attachment
            let head = walker.leafHead
            attachment.begin(head, isInBody: walker.isInAlternative)
            nameAttachment(head)
        }
    }

    func feedLeaf(_ content: Bytes) {
        guard content.count > 0 else { return }
        switch route {
        case .nowhere: break
        case .text: feedText(content)
        case .attachment: feedAttachment(content)
        }
    }

    func endLeaf() {
        switch route {
        case .nowhere: break
        case .text: finishText()
        case .attachment: finishAttachment()
        }
        route = .nowhere
    }

    /// All leaves are done: closes what is open, all but the object itself.
    func closeParts() {
        if isAttachmentOpen { sink.literal("]") }
        isAttachmentOpen = false
        if !isTextTaken && !isHTMLTaken && !hasTemplate { writeSubstituteBody() }
    }

    /// The API wants a body, and a message need not have one. What somebody wrote in front of the
    /// first part instead of into one is better than nothing.
    private func writeSubstituteBody() {
        let text = walker.takePreamble()
        guard !text.isEmpty else { return sink.literal(",\"text_body\":\"\\n\"") }
        startText(EntityTraits())
        feedText(text.span)
        finishText()
    }

    func markTaken(isHTML: Bool) {
        if isHTML {
            isHTMLTaken = true
        } else {
            isTextTaken = true
        }
    }

    private func isBody(_ leaf: EntityTraits) -> Bool {
        guard !leaf.isAttachment else { return false }
        return switch leaf.media {
        case .textPlain: !isTextTaken
        case .textHTML: !isHTMLTaken
        default: false
        }
    }

    /// A name for what has none, and the extension that makes a message a file.
    private func nameAttachment(_ head: EntityHead) {
        if attachment.filename.isEmpty {
            let suffix = MediaExtension.of(head.mediaType)
            attachment.filename = Array("attachment-\(attachmentCount + 1).\(suffix)".utf8)
        } else if head.media == .messageRFC822, !endsWithEML(attachment.filename) {
            attachment.filename = AttachmentName.appending(".eml", to: attachment.filename)
        }
    }

    private func endsWithEML(_ name: [UInt8]) -> Bool {
        name.count >= 4 && name.span.extracting((name.count - 4)...).equalsIgnoringCase(".eml")
    }
}
