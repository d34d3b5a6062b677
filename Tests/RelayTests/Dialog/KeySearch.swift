// Keeps everything that a relay logs, and searches it for keys. Every key of the dialogs ends with
// one mark, so one search finds all of them, in plain text or in base64.

import Foundation
import Logging
import Synchronization

@testable import Log
@testable import Mapping
@testable import Relay

enum KeySearch {
    /// The end of every key that a dialog logs in with.
    static let mark = ".dialog-key-8h2Kq9Zt"

    /// Forms of the mark: as it is, and its base64 after any preceding bytes.
    static let forms: [String] =
        [mark]
        + (0..<3).map { offset in
            let padded = String(repeating: "x", count: offset) + mark
            let text = Data(padded.utf8).base64EncodedString()
            // Without the characters that bytes before or after the mark influence.
            return String(text.dropFirst((offset * 8 + 5) / 6).prefix(mark.utf8.count - 2))
        }

    static func finds(in text: String) -> Bool { forms.contains { text.contains($0) } }
}

/// A log at the most verbose level, kept in memory.
final class RecordedLog: Sendable {
    private final class Lines: Sendable { let list = Mutex<[String]>([]) }

    private struct Handler: LogHandler {
        let kept: Lines
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let fields = (event.metadata ?? [:]).map { ($0.key, $0.value.description) }
            let line = LineLogHandler.line(
                .text, [], event.level, event.message.description, fields.sorted { $0.0 < $1.0 })
            kept.list.withLock { $0.append(String(decoding: line.dropLast(), as: UTF8.self)) }
        }
    }

    private let kept = Lines()
    let events: EventLog

    init() {
        let kept = kept
        events = EventLog(logger: Logger(label: "recorded") { _ in Handler(kept: kept) })
    }

    var lines: [String] { kept.list.withLock { $0 } }
}
