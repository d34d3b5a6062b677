// Walks every message of the public corpus, if it is there.
//
// No message may be refused or depend on how it is cut. If another parser's reading is beside a
// message, the number of leaves and their raw contents are compared. That reading is right only for
// well-formed messages, so differences in the others are printed and do not fail.

import Foundation
import TestSupport
import Testing

@testable import Wire

private let messages: [URL] = {
    let all = FileManager.default.enumerator(at: corpus, includingPropertiesForKeys: nil)
    let files = (all?.compactMap { $0 as? URL } ?? []).filter { $0.pathExtension == "eml" }
    if files.isEmpty { print("skipped: no messages in \(corpus.path)") }
    return files.sorted { $0.path < $1.path }
}()

/// The raw contents of the leaves in the reading beside a message; nil when there is no reading.
private func expectedContents(_ message: URL, _ bytes: [UInt8]) -> [[UInt8]]? {
    let file = message.deletingPathExtension().appendingPathExtension("json")
    guard let data = try? Data(contentsOf: file),
        let reading = try? JSONSerialization.jsonObject(with: data) as? [String: Any],
        let parts = reading["parts"] as? [[String: Any]]
    else { return nil }
    return parts.compactMap { part in
        if let body = part["body"] as? [String: Any], body["Multipart"] != nil { return nil }
        let start = part["offset_body"] as? Int ?? 0
        let end = part["offset_end"] as? Int ?? 0
        return Array(bytes[min(start, bytes.count)..<min(max(start, end), bytes.count)])
    }
}

/// With a line feed for every CRLF, because the readings count offsets like this.
private func withLineFeeds(_ message: [UInt8]) -> [UInt8] {
    message.indices.filter {
        message[$0] != 13 || $0 + 1 == message.count || message[$0 + 1] != 10
    }.map { message[$0] }
}

/// Without the line ends around it, where the readings differ.
private func trimmed(_ content: [UInt8]) -> [UInt8] {
    Array(content[content.span.trimmed(0..<content.count)])
}

@Suite("Messages of the corpus")
struct CorpusWalkTests {
    @Test("No message is refused, and none depends on how it is cut")
    func walks() throws {
        for file in messages {
            let message = Array(try Data(contentsOf: file))
            let whole = Walk(message)
            #expect(whole.fault == nil && whole.mistakes == [], "\(file.path)")
            let plans = Splits.plans(for: message.count, seed: UInt64(message.count), random: 6)
            for plan in plans { #expect(Walk(message, plan: plan) == whole, "\(file.path)") }
        }
    }

    @Test("The leaves agree with another parser's reading")
    func leaves() throws {
        var compared = 0
        for file in messages {
            let message = withLineFeeds(Array(try Data(contentsOf: file)))
            guard let expected = expectedContents(file, message) else { continue }
            let found = Walk(message).leaves
            let name = file.pathComponents.suffix(2).joined(separator: "/")
            compared += 1
            if found.count != expected.count {
                print("corpus: \(name): \(found.count) leaves, there \(expected.count)")
            } else if found.map({ trimmed($0.content) }) != expected.map(trimmed) {
                print("corpus: \(name): contents differ")
            } else {
                continue
            }
            #expect(!name.hasPrefix("legacy/"), "\(name)")
        }
        print("corpus: \(compared) messages compared")
    }
}
