// Turns a swift-log event into one line, as text or as JSON.
//
// One event is always one line: control characters and quotes are escaped, so a peer can't forge a
// line or move the operator's cursor.

import Glibc
import Logging

/// How log lines look.
package enum LogFormat: String, Sendable, CaseIterable { case text, json, journald }

/// The swift-log handler of the relay.
package struct LineLogHandler: LogHandler {
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
        let time = Timestamp.now()
        let name = event.message.description
        let line =
            switch format {
            case .text: Self.textLine(time, event.level, name, fields)
            case .json: Self.jsonLine(time, event.level, name, fields)
            case .journald: JournalEntry.text(event.level, name, fields)
            }
        writer.write(Array(line.utf8))
    }

    /// `2026-11-22T18:37:20.123Z info message accepted bytes=4096 peer="192.0.2.1:4711"`
    static func textLine(
        _ time: String, _ level: Logger.Level, _ name: String, _ fields: [(String, String)]
    ) -> String {
        var line = "\(time) \(level.rawValue) \(name)"
        for (key, value) in fields { line += " " + pair(key, value) }
        return line + "\n"
    }

    /// `key=value`, in quotes where the value needs them.
    static func pair(_ key: String, _ value: String) -> String {
        "\(key)=" + (isPlain(value) ? value : "\"\(escaped(value))\"")
    }

    /// One JSON object with `time`, `level`, `event` and the fields, all strings.
    static func jsonLine(
        _ time: String, _ level: Logger.Level, _ name: String, _ fields: [(String, String)]
    ) -> String {
        var line = "{\"time\":\"\(time)\",\"level\":\"\(level.rawValue)\",\"event\":\""
        line += escaped(name) + "\""
        for (key, value) in fields { line += ",\"\(escaped(key))\":\"\(escaped(value))\"" }
        return line + "}\n"
    }

    private static func isPlain(_ value: String) -> Bool {
        !value.isEmpty
            && value.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }
    }

    /// With `\\uXXXX` for controls, line separators and marks of text direction.
    static func escaped(_ value: String) -> String {
        var result = ""
        for scalar in value.unicodeScalars {
            switch scalar.value {
            case 0x22: result += "\\\""
            case 0x5C: result += "\\\\"
            case 0..<0x20, 0x7F...0x9F, 0x2028, 0x2029, 0x202A...0x202E, 0x2066...0x2069:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

/// Wall-clock time as RFC 3339 text in UTC.
package enum Timestamp {
    static func now() -> String {
        var spec = timespec()
        clock_gettime(CLOCK_REALTIME, &spec)
        return text(seconds: Int(spec.tv_sec), milliseconds: Int(spec.tv_nsec) / 1_000_000)
    }

    /// `seconds` since 1970, leap seconds not counted.
    package static func text(seconds: Int, milliseconds: Int) -> String {
        var broken = tm()
        var time = time_t(seconds)
        gmtime_r(&time, &broken)
        let date = padded(Int(broken.tm_year) + 1900, 4) + "-" + padded(Int(broken.tm_mon) + 1, 2)
        let clock = [broken.tm_hour, broken.tm_min, broken.tm_sec].map { padded(Int($0), 2) }
        return date + "-" + padded(Int(broken.tm_mday), 2) + "T"
            + clock.joined(separator: ":") + "." + padded(milliseconds, 3) + "Z"
    }

    private static func padded(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
