// `postscale-relay explain FILE…`: shows what messages would become, without sending anything.

import ArgumentParser
import Glibc
import Wire

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Show which API call a message would become, without sending it.",
        discussion: """
            Reads message files and prints, for each, its structure, what would be lost on the \
            way and the API request, or the reply that would refuse it. A folder stands for all \
            files in it and below it whose names end in .eml; `-` is standard input.
            """)

    @Argument(help: ArgumentHelp("Message files or folders.", valueName: "file"))
    var files: [String] = []

    @Flag(help: "Read the names of message files from standard input, one a line.")
    var filesFromInput = false

    @Flag(help: "Print one line of JSON for each message, with nothing cut short.")
    var json = false

    @Option(help: ArgumentHelp("MAIL FROM; empty for the null sender.", valueName: "address"))
    var from = "sender@example.com"

    @Option(
        help: ArgumentHelp(
            "RCPT TO. Repeatable (default: everybody whom To, Cc and Bcc name).",
            valueName: "address"))
    var rcpt: [String] = []

    @OptionGroup(title: "Messages") var mapping: MappingFlags

    func validate() throws {
        guard files.isEmpty == filesFromInput else {
            throw ValidationError("Give message files, or --files-from-input, and not both.")
        }
    }

    func run() throws {
        let explainer = MessageExplainer(options: try mapping.options())
        var isAllRead = true
        func explain(_ file: String) {
            do throws(MessageFileError) {
                let message = try MessageFile.read(file)
                let explanation = explainer.explain(
                    message.span, sender: Array(from.utf8), recipients: rcpt.map { Array($0.utf8) })
                let text =
                    json
                    ? explanation.json(file: file) + [0x0A]
                    : Array(explanation.text(file: file).utf8)
                write(text, to: STDOUT_FILENO)
            } catch {
                isAllRead = false
                write(Array("postscale-relay: \(error.description)\n".utf8), to: STDERR_FILENO)
            }
        }
        if filesFromInput {
            while let file = readLine() { explain(file) }
        } else {
            for file in files.flatMap(MessageFile.messages) { explain(file) }
        }
        if !isAllRead { throw ExitCode.failure }
    }

    /// Writes all of `text`, or as much as the reader takes.
    private func write(_ text: [UInt8], to descriptor: Int32) {
        var rest = text[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            rest.removeFirst(count)
        }
    }
}

/// Names a message file that could not be read, and the reason.
struct MessageFileError: Error, CustomStringConvertible {
    let description: String

    init(_ file: String) { description = "\(file): \(String(cString: strerror(errno)))" }
}

/// Message files on disk.
enum MessageFile {
    /// The whole of a file; `-` is standard input.
    static func read(_ path: String) throws(MessageFileError) -> [UInt8] {
        let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw MessageFileError(path) }
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        var content: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 262_144)
        while true {
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count == 0 { return content }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw MessageFileError(path) }
            content += piece[..<count]
        }
    }

    /// `path` itself; of a folder, the .eml files in it and below it, in order.
    static func messages(in path: String) -> [String] {
        guard let folder = opendir(path) else { return [path] }
        defer { closedir(folder) }
        var found: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard !name.hasPrefix(".") else { continue }
            let child = path.hasSuffix("/") ? path + name : path + "/" + name
            if Int32(entry.pointee.d_type) == Int32(DT_DIR) {
                found += messages(in: child)
            } else if name.hasSuffix(".eml") {
                found.append(child)
            }
        }
        return found.sorted()
    }
}
