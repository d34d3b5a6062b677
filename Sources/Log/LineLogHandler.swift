// Turns a swift-log event into one line, for events that are too rare to cost anything.

import Logging

/// The swift-log handler of the relay.
package struct LineLogHandler: LogHandler {
    /// Bytes of nearly every line, so that its memory is allocated once.
    private static let usualBytes = 512

    private let writer: LogWriter
    private let format: LogFormat
    /// swift-log may set these two; the relay does not.
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]

    package init(writer: LogWriter, format: LogFormat, level: Logger.Level) {
        self.writer = writer
        self.format = format
        logLevel = level
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let fields = (event.metadata ?? [:]).map { ($0.key, $0.value.description) }
            .sorted { $0.0 < $1.0 }
        let name = event.message.description
        var clock = LineClock()
        clock.read()
        let time = clock.withText { Array($0) }
        writer.write(Self.line(format, time, event.level, name, fields))
    }

    /// `2026-11-22T18:37:20.123Z info message bytes=4096 peer="a b"`, or one JSON object with `time`,
    /// `level`, `event` and the fields, all strings; each with its line end. Or an entry for
    /// journald, with its length in front.
    static func line(
        _ format: LogFormat, _ time: [UInt8], _ level: Logger.Level, _ name: String,
        _ fields: [(String, String)]
    ) -> [UInt8] {
        var encoder = LineEncoder(format: format, slab: LogSlab(capacity: usualBytes))
        var name = name
        name.withUTF8 { name in
            time.withUnsafeBytes {
                encoder.begin(level, UnsafeRawBufferPointer(name), time: $0)
            }
        }
        for (key, value) in fields {
            var (key, value) = (key, value)
            key.withUTF8 { key in
                value.withUTF8 {
                    encoder.field(UnsafeRawBufferPointer(key), UnsafeRawBufferPointer($0))
                }
            }
        }
        encoder.end()
        return Array(encoder.cursor.line)
    }
}

/// Where journald listens.
package enum JournalEntry {
    package static let usualPath = "/run/systemd/journal/socket"
}
