// How a message becomes the API's fields: each setting of this module, with its one default.

/// How a message is mapped to the API's fields.
package struct MappingOptions: Sendable, Equatable {
    /// Writes recipients without their display names.
    package var hasBareRecipients = false
    /// Sends `content_id` with inline parts.
    package var hasInlineContentID = true
    /// Lower-case names of headers that pass although the policy drops them.
    package var passedHeaders: [String] = []
    /// Refuses signed and encrypted messages: the API builds them anew, so a signature is lost.
    package var refusesProtected = false
    /// Tags and metadata in the headers of other services become ours; those headers do not pass.
    package var mapsForeignHeaders = false
    package var attachmentsMax = 10
    /// Decoded bytes of one attachment.
    package var attachmentBytesMax = 25 * 1_048_576
    /// Decoded bytes of all attachments of a message.
    package var attachmentsBytesMax = 50 * 1_048_576

    /// The request times the recipients, of a message to several hidden recipients: each gets a call
    /// of its own.
    package var groupBytesMax = 1 << 30

    /// Keeps a copy of the client's Message-ID, for the log (`MessageMapper.messageID`).
    package var keepsMessageID = false

    package init() {}
}
