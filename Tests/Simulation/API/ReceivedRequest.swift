// The body of one send, read by a reader that shares only its JSON reader with the mapper.

import Sandbox
import Wire

/// What a request says about its message.
struct ReceivedRequest {
    private(set) var number: Int?
    private(set) var recipients: [String] = []
    private(set) var text: [UInt8] = []
    private(set) var attachment: [UInt8] = []

    /// nil when it is not one whole JSON object that the API would accept.
    init?(_ body: [UInt8]) {
        guard case .valid(let request) = SendRequest.parse(body) else { return nil }
        recipients = request.recipients.compactMap { SendAddress($0).map { String($0.address) } }
        if let first = request.attachments.first { attachment = Array(body[first.content]) }
        attachment.removeAll { $0 == UInt8(ascii: "\\") }
        var reader = JSONReader()
        guard reader.next(body.span) == .objectStart else { return nil }
        while case .key(let range) = reader.next(body.span) {
            switch JSONReader.unescaped(body.span, range) {
            case "text_body":
                guard case .string(let range) = reader.next(body.span) else { return nil }
                text = JSONReader.unescapedBytes(body.span, range)
                text.removeAll { $0 == 13 || $0 == 10 }
            case "headers": readHeaders(body, &reader)
            default: _ = reader.skipValue(body.span)
            }
        }
    }

    private mutating func readHeaders(_ body: [UInt8], _ reader: inout JSONReader) {
        guard reader.next(body.span) == .objectStart else { return }
        while case .key(let range) = reader.next(body.span) {
            guard case .string(let value) = reader.next(body.span) else { return }
            guard JSONReader.unescaped(body.span, range).lowercased() == "x-sim-message" else {
                continue
            }
            number = Int(JSONReader.unescaped(body.span, value))
        }
    }

    /// Whether it says everything that `message` says.
    func says(_ message: MailMessage) -> Bool {
        guard number == message.number, text == message.text, attachment == message.attachment
        else { return false }
        if message.isMixed {
            return !recipients.isEmpty && Set(recipients).count == recipients.count
                && recipients.allSatisfy(message.recipients.contains)
                && (recipients.count == 1 || recipients.contains(message.recipients[0]))
        }
        if message.isGroup {
            return recipients.count == 1 && message.recipients.contains(recipients[0])
        }
        return recipients.sorted() == message.recipients.sorted()
    }
}
