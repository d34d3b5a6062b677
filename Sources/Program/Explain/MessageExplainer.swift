// Finds what a message would become: its structure, the API request, what it loses, or the refusal.
//
// It runs the relay's own mapper on a message that is all in memory, and sends nothing.

import APIClient
import Mapping
import Reactor
import Relay
import Wire

/// Explains messages, one after the other.
final class MessageExplainer {
    private let slabs = SlabPool()
    private let charsets = CharsetCache()
    private let mapper: MessageMapper
    private let files = UnboundedFiles(folder: "/tmp")

    /// Memory for the request to several hidden recipients, before it goes to a file.
    private static let heldBytesMax = 1_048_576
    /// Recipients that are taken from a message's header: as many as a session may name.
    private static let recipientsMax = SessionLimits().recipientsMax

    init(options: MappingOptions) {
        mapper = MessageMapper(
            options: options, charsets: charsets, scratch: MapperScratch(), pool: slabs,
            heldBytesMax: Self.heldBytesMax)
    }

    /// - Parameters:
    ///   - message: the content, dots not doubled.
    ///   - sender: MAIL FROM, empty for the null sender.
    ///   - recipients: RCPT TO. When empty: the mailboxes that To, Cc and Bcc name; without any,
    ///     `recipient@example.com`.
    func explain(_ message: Bytes, sender: [UInt8], recipients: [[UInt8]]) -> Explanation {
        let structure = MessageStructure(of: message, charsets: charsets)
        var envelope = recipients
        if envelope.isEmpty { envelope = recipientsInHeader(structure.header) }
        if envelope.isEmpty { envelope = [Array("recipient@example.com".utf8)] }
        var explanation = Explanation(
            byteCount: message.count, sender: sender, recipients: envelope, structure: structure)
        map(message, into: &explanation)
        return explanation
    }

    private func map(_ message: Bytes, into explanation: inout Explanation) {
        let body = RequestBody(pool: slabs)
        mapper.begin(
            sender: explanation.sender.span, recipientCount: explanation.recipients.count,
            files: files, into: body)
        for recipient in explanation.recipients { mapper.addRecipient(recipient.span) }
        mapper.feed(message)
        mapper.finish()
        while mapper.failure == nil, !mapper.drain(upTo: 1_048_576) {}
        explanation.losses = mapper.allLosses
        if let failure = mapper.failure {
            explanation.refusal = failure.reply(isVerbose: false).line
        } else if let held = mapper.held {
            explanation.isGroup = true
            explanation.request = [0x7B] + held.contents()
        } else {
            explanation.request = body.contents()
        }
        mapper.end()
        body.discard()
    }

    private func recipientsInHeader(_ header: [UInt8]) -> [[UInt8]] {
        let block = header.span
        var found: [[UInt8]] = []
        var scanner = HeaderScanner()
        while let field = scanner.next(block) {
            guard [.to, .cc, .bcc].contains(field.id) else { continue }
            let value = block.extracting(field.value)
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4 * value.count + 64) {
                var region = Region($0)
                var losses = DecodeLosses()
                var parser = AddressParser()
                while found.count < Self.recipientsMax,
                    case .mailbox(let mailbox) = parser.next(
                        value, charsets: charsets, into: &region, losses: &losses)
                {
                    let address = region.bytes.extracting(mailbox.address).copied()
                    if !found.contains(address) { found.append(address) }
                    region.truncate(to: 0)
                }
            }
        }
        return found
    }
}
