// What is kept of accepted messages, in memory and in a folder.

import Foundation
import Testing

@testable import Sandbox

@Suite struct SandboxStoreTests {
    private func accepted(_ json: String) throws -> (SendRequest, [UInt8]) {
        let body = Array(json.utf8)
        guard case .valid(let request) = SendRequest.parse(body) else {
            throw CocoaError(.coderInvalidValue)
        }
        return (request, body)
    }

    private func message(_ subject: String = "s", attachments: String = "[]") throws
        -> (SendRequest, [UInt8])
    {
        try accepted(
            #"{"from":"a@b.test","to":["c@d.test"],"subject":"\#(subject)","text_body":"t","#
                + #""attachments":\#(attachments)}"#)
    }

    @Test("The oldest messages are forgotten by number")
    func boundedNumber() throws {
        var options = SandboxOptions(addresses: [])
        options.messagesMax = 2
        let store = SandboxStore(options: options)
        for subject in ["1", "2", "3"] {
            let (request, body) = try message(subject)
            _ = try store.add(request, body: body, isTest: true)
        }
        #expect(store.messages.map(\.request.subject) == ["2", "3"])
    }

    @Test("The oldest messages are forgotten by bytes, the newest never")
    func boundedBytes() throws {
        var options = SandboxOptions(addresses: [])
        options.messageBytesMax = 200
        let store = SandboxStore(options: options)
        for subject in ["1", "2", "3"] {
            let (request, body) = try message(subject)
            _ = try store.add(request, body: body, isTest: true)
        }
        #expect(store.messages.map(\.request.subject) == ["2", "3"])
        let (request, body) = try message(String(repeating: "x", count: 500))
        _ = try store.add(request, body: body, isTest: true)
        #expect(store.messages.count == 1)
    }

    @Test("A folder holds the request as it came, and the attachments decoded under safe names")
    func folder() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let store = SandboxStore(options: SandboxOptions(addresses: [], storeFolder: folder))
        let (request, body) = try message(
            attachments: #"[{"filename":"../../evil","content":"AQID"},"#
                + #"{"filename":"📎.pdf","content":"\/\/8="}]"#)
        let message = try store.add(request, body: body, isTest: false)
        let path = "\(folder)/\(message.messageID)"
        #expect(FileManager.default.contents(atPath: path + ".json") == Data(body))
        #expect(
            FileManager.default.contents(atPath: path + "/1-.._.._evil") == Data([1, 2, 3]))
        #expect(FileManager.default.contents(atPath: path + "/2-📎.pdf") == Data([255, 255]))
        #expect(store.body(of: message) == body)
        #expect(store.attachment(1, of: message) == [255, 255])
        store.removeAll()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
    }

    @Test("A folder that is not there is an error, and nothing is kept")
    func missingFolder() throws {
        let store = SandboxStore(
            options: SandboxOptions(addresses: [], storeFolder: "/nonexistent/folder"))
        let (request, body) = try message()
        #expect(throws: SandboxFolderError.self) {
            try store.add(request, body: body, isTest: true)
        }
        #expect(store.messages.isEmpty)
    }

    @Test("File names are cut at a character, at 200 bytes")
    func longNames() {
        let attachment = SendRequest.Attachment(
            filename: String(repeating: "ü", count: 300), contentType: "", content: 0..<0,
            decodedBytes: 0)
        #expect(SandboxFolder.fileName(attachment, 0).utf8.count == 200)
    }
}
