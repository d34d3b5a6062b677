// The messages that the sandbox has accepted, so that tests can see what the API would have got.
//
// Request bodies are kept as they came, byte for byte, in memory or as files of a folder. Both the
// number of messages and the bytes in memory are bounded: the oldest are forgotten first.

import Log
import Wire

/// One accepted message.
struct SandboxMessage {
    /// Counts accepted messages from 1, forgotten ones too.
    var number: Int
    /// "9f86d081884c7d65@yourdomain.com"
    var messageID: String
    /// The UUID that `GET /v1/emails` lists.
    var id: String
    var isTest: Bool
    /// Seconds since 1970.
    var acceptedAt: Int
    var request: SendRequest
    /// The request as received; nil when a file holds it.
    var body: [UInt8]?
    var bodyBytes: Int
    /// What the API answered: 202 or 201.
    var answerStatus: Int

    var status: String { isTest ? "simulated" : "queued" }

    /// The body of the API's answer.
    var answer: [UInt8] {
        JSONDocument.object {
            $0.field("message_id", messageID)
            $0.field("status", status)
            if isTest { $0.field("environment", "test") }
        }
    }

    /// Writes the fields that the API's list and the inbox share.
    func writeSummary(to json: inout JSONDocument) {
        json.field("message_id", messageID)
        json.field("from", request.from)
        json.field("to", request.to)
        json.field("cc", request.cc)
        json.field("bcc", request.bcc)
        json.field("subject", request.subject ?? "")
        json.field("status", status)
        json.field("created_at", Timestamp.text(seconds: acceptedAt, milliseconds: 0))
        if isTest { json.field("environment", "test") }
    }
}

/// Accepted messages, oldest first. Belongs to the sandbox's thread.
final class SandboxStore {
    private(set) var messages: [SandboxMessage] = []
    /// Messages ever accepted, forgotten ones too; the number of the last one.
    private(set) var acceptedCount = 0
    private var bytesHeld = 0
    private let options: SandboxOptions
    private let folder: SandboxFolder?

    init(options: SandboxOptions) {
        self.options = options
        folder = options.storeFolder.map { SandboxFolder(path: $0) }
    }

    /// Keeps a message. With a folder its files are complete when this returns.
    /// - Throws: what the file system refused.
    func add(
        _ request: SendRequest, body: [UInt8], isTest: Bool, answerStatus: Int = 202
    ) throws(SandboxFolderError) -> SandboxMessage {
        var message = SandboxMessage(
            number: acceptedCount + 1, messageID: Self.newMessageID(from: request.from),
            id: SandboxText.randomUUID(), isTest: isTest, acceptedAt: SandboxText.unixTime(),
            request: request, body: nil, bodyBytes: body.count, answerStatus: answerStatus)
        if let folder {
            try folder.write(message, body: body)
        } else {
            message.body = body
            bytesHeld += body.count
        }
        acceptedCount += 1
        messages.append(message)
        forgetOldest()
        return message
    }

    func message(_ messageID: String) -> SandboxMessage? {
        messages.last { $0.messageID == messageID }
    }

    /// The request of `message` as it was received; nil when its file is gone.
    func body(of message: SandboxMessage) -> [UInt8]? {
        message.body ?? folder?.readBody(message.messageID)
    }

    /// The decoded content of an attachment; nil when there is none.
    func attachment(_ index: Int, of message: SandboxMessage) -> [UInt8]? {
        guard message.request.attachments.indices.contains(index), let body = body(of: message)
        else { return nil }
        let range = message.request.attachments[index].content
        guard range.upperBound <= body.count else { return nil }
        return AttachmentContent.decoded(body.span, range)
    }

    /// Forgets every message and removes its files.
    func removeAll() {
        for message in messages { folder?.remove(message) }
        messages = []
        bytesHeld = 0
    }

    /// Forgets one message and removes its files; false when there is none.
    func remove(_ messageID: String) -> Bool {
        guard let index = messages.lastIndex(where: { $0.messageID == messageID }) else {
            return false
        }
        let message = messages.remove(at: index)
        folder?.remove(message)
        bytesHeld -= message.body?.count ?? 0
        return true
    }

    private func forgetOldest() {
        var excess = max(0, messages.count - options.messagesMax)
        var bytes = bytesHeld - messages[..<excess].reduce(0) { $0 + ($1.body?.count ?? 0) }
        while bytes > options.messageBytesMax, excess < messages.count - 1 {
            bytes -= messages[excess].body?.count ?? 0
            excess += 1
        }
        messages.removeFirst(excess)
        bytesHeld = bytes
    }

    /// A random name at the sender's domain, as the API makes it; safe as a file name.
    private static func newMessageID(from: String) -> String {
        let domain = SendAddress(from)?.domain ?? ""
        let isPlain = domain.utf8.allSatisfy { byte in
            byte.asciiLowercased &- 0x61 < 26 || byte &- 0x30 < 10 || byte == 0x2E || byte == 0x2D
        }
        let isUsable = isPlain && !domain.isEmpty && domain.utf8.count <= 200
        return SandboxText.randomHex(16) + "@" + (isUsable ? domain : "sandbox.invalid")
    }
}
