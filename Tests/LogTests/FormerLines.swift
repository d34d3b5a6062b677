// The lines as the relay's first handler wrote them, with strings. Operators' filters depend on them,
// so what writes lines today is compared with these.

import Logging

@testable import Log

enum FormerLines {
    static func line(
        _ format: LogFormat, _ time: String, _ level: Logger.Level, _ name: String,
        _ fields: [(String, String)]
    ) -> [UInt8] {
        switch format {
        case .text: textLine(time, level, name, fields)
        case .json: jsonLine(time, level, name, fields)
        case .journald: Array(entry(level, name, fields).utf8)
        }
    }

    private static func textLine(
        _ time: String, _ level: Logger.Level, _ name: String, _ fields: [(String, String)]
    ) -> [UInt8] {
        var line = "\(time) \(level.rawValue) \(name)"
        for (key, value) in fields { line += " " + pair(key, value) }
        return Array((line + "\n").utf8)
    }

    private static func jsonLine(
        _ time: String, _ level: Logger.Level, _ name: String, _ fields: [(String, String)]
    ) -> [UInt8] {
        let members = [("time", time), ("level", level.rawValue), ("event", name)] + fields
        let texts = members.map { key, value in "\"\(escaped(key))\":\"\(escaped(value))\"" }
        return Array("{\(texts.joined(separator: ","))}\n".utf8)
    }

    private static func entry(
        _ level: Logger.Level, _ name: String, _ fields: [(String, String)]
    ) -> String {
        var message = name
        var lines = ""
        for (key, value) in fields {
            message += " " + pair(key, value)
            lines += "POSTSCALE_\(variable(key))=\(escaped(value))\n"
        }
        return "MESSAGE=\(message)\nPRIORITY=\(priority(level))\n"
            + "SYSLOG_IDENTIFIER=postscale-relay\nPOSTSCALE_EVENT=\(name)\n" + lines
    }

    private static func pair(_ key: String, _ value: String) -> String {
        "\(key)=" + (isPlain(value) ? value : "\"\(escaped(value))\"")
    }

    private static func isPlain(_ value: String) -> Bool {
        !value.isEmpty
            && value.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }
    }

    private static func escaped(_ value: String) -> String {
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

    private static func variable(_ key: String) -> String {
        String(key.uppercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
    }

    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }
}
