// Accepted messages as files: `<message_id>.json`, and beside it `<message_id>/1-name.pdf`, ….
//
// The JSON file is the request byte for byte and comes last, by a rename: a reader that sees it
// sees all of the message, even if the sandbox was killed. File names are made safe: a
// client chooses the name of an attachment, never its place.

import Glibc
import Wire

/// What the file system refused, on which file, and why.
struct SandboxFolderError: Error, CustomStringConvertible {
    let description: String
}

/// A folder of accepted messages.
struct SandboxFolder {
    let path: String

    /// Longest name of an attachment's file in bytes, its number included.
    private static let nameBytesMax = 200

    func write(_ message: SandboxMessage, body: [UInt8]) throws(SandboxFolderError) {
        let attachments = message.request.attachments
        if !attachments.isEmpty {
            let folder = "\(path)/\(message.messageID)"
            if mkdir(folder, 0o755) != 0, errno != EEXIST { throw failure("mkdir", folder) }
            for (index, attachment) in attachments.enumerated() {
                let content = AttachmentContent.decoded(body.span, attachment.content) ?? []
                try write(content, to: "\(folder)/\(Self.fileName(attachment, index))")
            }
        }
        let file = "\(path)/\(message.messageID).json"
        try write(body, to: file + ".partial")
        if rename(file + ".partial", file) != 0 { throw failure("rename", file) }
    }

    func readBody(_ messageID: String) -> [UInt8]? {
        let descriptor = open("\(path)/\(messageID).json", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        let size = Int(status.st_size)
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { memory, count in
            while count < size {
                let got = read(descriptor, memory.baseAddress! + count, size - count)
                if got <= 0 { break }
                count += got
            }
        }
        return bytes.count == size ? bytes : nil
    }

    func remove(_ message: SandboxMessage) {
        let folder = "\(path)/\(message.messageID)"
        unlink(folder + ".json")
        for (index, attachment) in message.request.attachments.enumerated() {
            unlink("\(folder)/\(Self.fileName(attachment, index))")
        }
        rmdir(folder)
    }

    /// "2-Überblick 📎.pdf": the number keeps names apart; separators and controls become `_`.
    static func fileName(_ attachment: SendRequest.Attachment, _ index: Int) -> String {
        var name = "\(index + 1)-"
        for scalar in attachment.filename.unicodeScalars {
            let isUnsafe =
                scalar == "/" || scalar == "\\" || scalar.value < 0x20 || scalar == "\u{7F}"
            let piece = String(isUnsafe ? "_" : scalar)
            if name.utf8.count + piece.utf8.count > nameBytesMax { break }
            name += piece
        }
        return name
    }

    private func write(_ bytes: [UInt8], to file: String) throws(SandboxFolderError) {
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure("open", file) }
        defer { close(descriptor) }
        var offset = 0
        while offset < bytes.count {
            let wrote = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress! + offset, bytes.count - offset)
            }
            if wrote < 0, errno == EINTR { continue }
            guard wrote > 0 else { throw failure("write", file) }
            offset += wrote
        }
    }

    private func failure(_ operation: String, _ file: String) -> SandboxFolderError {
        SandboxFolderError(description: "\(operation) \(file): \(String(cString: strerror(errno)))")
    }
}
