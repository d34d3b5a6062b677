// Decides where the content of each part goes: into a body, into an attachment, or nowhere.
//
// A machine: it sees the leaves of the MIME structure in their order, and what became of them. The
// first inline text/plain and the first inline text/html that are not empty are the bodies; every
// other leaf is attached. This file is the place to change which part goes where.

import Wire

/// The decision for one leaf after the other of a message.
struct PartRouting {
    enum Route {
        /// Into `text_body` or `html_body`.
        case body
        /// Into `attachments`.
        case attachment
        /// Nowhere: it would be a body, and the API makes the bodies from a template.
        case replacedByTemplate
    }

    /// A text/plain leaf was a body.
    private var hasText = false
    /// A text/html leaf was a body.
    private var hasHTML = false

    /// Whether the message has a body so far.
    var hasBody: Bool { hasText || hasHTML }

    /// Where the next leaf goes. A content in an unknown transfer encoding is no text: `EntityHead`
    /// makes it another media type.
    mutating func route(_ leaf: EntityTraits, hasTemplate: Bool) -> Route {
        guard isBody(leaf) else { return .attachment }
        guard hasTemplate else { return .body }
        bodyWritten(isHTML: leaf.media == .textHTML)
        return .replacedByTemplate
    }

    /// A leaf that went into a body was not empty.
    mutating func bodyWritten(isHTML: Bool) {
        if isHTML {
            hasHTML = true
        } else {
            hasText = true
        }
    }

    private func isBody(_ leaf: EntityTraits) -> Bool {
        guard !leaf.isAttachment else { return false }
        return switch leaf.media {
        case .textPlain: !hasText
        case .textHTML: !hasHTML
        default: false
        }
    }
}
