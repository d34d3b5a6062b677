// How a message becomes the API's fields: every setting of this module, with its one default.

/// How the message is mapped to the API's fields.
package struct MappingOptions: Sendable, Equatable {
    package var hasBareRecipients = false
    /// Sends `content_id` with inline parts.
    package var hasInlineContentID = true
    /// Lower-case names of headers that are passed although they would not be.
    package var passedHeaders: [String] = []
    package var attachmentsMax = 10
    package var attachmentBytesMax = 25 * 1_048_576
    package var attachmentsBytesMax = 50 * 1_048_576

    package init() {}
}
