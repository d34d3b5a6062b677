// Maps the messages of a test: a message and its envelope go in, in pieces of any size, and JSON
// comes out.

import APIClient
import Foundation
import Mapping
import Reactor
import Wire

/// One message with its envelope.
package struct MappedMessage {
    package var sender = "sender@example.com"
    package var recipients = ["to@example.com"]
    package var content: [UInt8]
    package var options = MappingOptions()
    /// Memory for content that is held back, before it goes to a file.
    package var heldBytesMax = 262_144

    package init(
        _ text: String, from sender: String = "sender@example.com",
        to recipients: [String] = ["to@example.com"]
    ) {
        content = Array(text.utf8)
        self.sender = sender
        self.recipients = recipients
    }

    package init(bytes: [UInt8]) { content = bytes }
}

extension MappingOptions {
    /// The defaults with a change.
    package static func with(_ change: (inout MappingOptions) -> Void) -> MappingOptions {
        var options = MappingOptions()
        change(&options)
        return options
    }
}

/// The result of a mapper for a message.
package struct MappedRequest {
    /// The request; for a group without its opening brace and its `to`.
    package var json: [UInt8]
    package var failure: Outcome?
    package var isGroup: Bool
    package var losses: MappingLosses
    package var hasMessageID: Bool
    /// As the client wrote it, when it is to be kept.
    package var messageID: [UInt8]
    /// Why what had to wait found no room.
    package var spillFailure: SpillFailure?

    /// Parsed by Foundation; nil when it is no JSON object.
    package var object: NSDictionary? {
        let text = isGroup ? Array("{".utf8) + json : json
        return try? JSONSerialization.jsonObject(with: Data(text)) as? NSDictionary
    }
}

/// Maps the messages of a test.
package final class MapperBench {
    package let slabs = SlabPool()
    package let charsets = CharsetCache()
    package let scratch = MapperScratch()
    /// Where messages spill.
    package let files: any TemporaryFiles

    package init(files: any TemporaryFiles = UnboundedFiles(folder: NSTemporaryDirectory())) {
        self.files = files
    }

    /// Maps `message`, cut into pieces of these lengths; whole if nil.
    package func map(_ message: MappedMessage, cut plan: [Int]? = nil) -> MappedRequest {
        let mapper = MessageMapper(
            options: message.options, charsets: charsets, scratch: scratch, pool: slabs,
            heldBytesMax: message.heldBytesMax)
        return map(message, with: mapper, cut: plan)
    }

    /// - Parameter whenFed: called after each piece.
    package func map(
        _ message: MappedMessage, with mapper: MessageMapper, cut plan: [Int]? = nil,
        whenFed: () -> Void = {}
    ) -> MappedRequest {
        let body = RequestBody(pool: slabs)
        begin(message, mapper, body)
        var at = 0
        for length in plan ?? [message.content.count] where mapper.failure == nil {
            mapper.feed(message.content.span.extracting(at..<at + length))
            at += length
            whenFed()
        }
        if mapper.failure == nil { mapper.finish() }
        var isComplete = false
        while mapper.failure == nil && !isComplete { isComplete = mapper.drain(upTo: 1_000) }
        let request = MappedRequest(
            json: mapper.held?.contents() ?? body.contents(), failure: mapper.failure,
            isGroup: mapper.held != nil, losses: mapper.allLosses,
            hasMessageID: mapper.hasMessageID, messageID: mapper.messageID,
            spillFailure: mapper.spillFailure)
        mapper.end()
        body.discard()
        return request
    }

    /// Feeds the first `count` bytes, and ends the message there, as for a client that leaves.
    package func abandon(_ message: MappedMessage, after count: Int, with mapper: MessageMapper) {
        let body = RequestBody(pool: slabs)
        begin(message, mapper, body)
        mapper.feed(message.content.span.extracting(0..<count))
        mapper.end()
        body.discard()
    }

    private func begin(_ message: MappedMessage, _ mapper: MessageMapper, _ body: RequestBody) {
        let sender = Array(message.sender.utf8)
        mapper.begin(
            sender: sender.span, recipientCount: message.recipients.count, files: files, into: body)
        for recipient in message.recipients {
            let address = Array(recipient.utf8)
            mapper.addRecipient(address.span)
        }
    }
}

/// A JSON object in Foundation's types; nil when `text` is none.
package func parsed(_ text: String) -> NSDictionary? {
    try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? NSDictionary
}

/// A text with its line ends as CRLF.
package func crlf(_ text: String) -> String {
    text.replacingOccurrences(of: "\n", with: "\r\n")
}
