// What the mapper's tests share: a message and an envelope in, JSON out, cut in any way.

import Foundation
import Reactor
import Wire

@testable import Relay

/// One message with its envelope.
struct MappedMessage {
    var sender = "sender@example.com"
    var recipients = ["to@example.com"]
    var content: [UInt8]
    var options = MappingOptions()
    /// Memory for what is held back, before it goes to a file.
    var heldBytesMax = 262_144

    init(
        _ text: String, from sender: String = "sender@example.com",
        to recipients: [String] = ["to@example.com"]
    ) {
        content = Array(text.utf8)
        self.sender = sender
        self.recipients = recipients
    }

    init(bytes: [UInt8]) { content = bytes }
}

/// What a mapper made of a message.
struct MappedRequest {
    /// The request; for a group without its opening brace and its `to`.
    var json: [UInt8]
    var failure: Outcome?
    var isGroup: Bool
    var losses: MappingLosses
    var hasMessageID: Bool

    /// Parsed by Foundation; nil when it is no JSON object.
    var object: NSDictionary? {
        let text = isGroup ? Array("{".utf8) + json : json
        return try? JSONSerialization.jsonObject(with: Data(text)) as? NSDictionary
    }
}

/// The mapper of a test, reused from message to message as in the relay.
final class MapperBench {
    let slabs = SlabPool()
    let charsets = CharsetCache()
    let scratch = MapperScratch()

    /// Maps `message`, cut into pieces of these lengths; whole when nil.
    func map(_ message: MappedMessage, cut plan: [Int]? = nil) -> MappedRequest {
        let mapper = MessageMapper(
            options: message.options, charsets: charsets, scratch: scratch, pool: slabs,
            heldBytesMax: message.heldBytesMax, temporaryFolder: NSTemporaryDirectory())
        return map(message, with: mapper, cut: plan)
    }

    func map(
        _ message: MappedMessage, with mapper: MessageMapper, cut plan: [Int]? = nil
    ) -> MappedRequest {
        let body = RequestBody(pool: slabs)
        begin(message, mapper, body)
        var at = 0
        for length in plan ?? [message.content.count] where mapper.failure == nil {
            mapper.feed(message.content.span.extracting(at..<at + length))
            at += length
        }
        if mapper.failure == nil { mapper.finish() }
        var isComplete = false
        while mapper.failure == nil && !isComplete { isComplete = mapper.drain(upTo: 1_000) }
        let request = MappedRequest(
            json: mapper.held?.contents() ?? body.contents(), failure: mapper.failure,
            isGroup: mapper.held != nil, losses: mapper.allLosses,
            hasMessageID: mapper.hasMessageID)
        mapper.end()
        body.discard()
        return request
    }

    private func begin(_ message: MappedMessage, _ mapper: MessageMapper, _ body: RequestBody) {
        let sender = Array(message.sender.utf8)
        mapper.begin(
            sender: sender.span, recipientCount: message.recipients.count, into: body)
        for recipient in message.recipients {
            let address = Array(recipient.utf8)
            mapper.addRecipient(address.span)
        }
    }
}

/// What `text`, written as JSON, is in Foundation's types.
func parsed(_ text: String) -> NSDictionary? {
    try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? NSDictionary
}

/// A text with its line ends as CRLF.
func crlf(_ text: String) -> String {
    text.replacingOccurrences(of: "\n", with: "\r\n")
}
