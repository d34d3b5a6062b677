// One log event in journald's native form (systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram of fields,
// one a line.
//
// Values are escaped as in the other formats. So no value holds a line end or needs the binary form,
// and a peer can't add a field. `MESSAGE` is the text line without its time, which journald adds.

import Logging

/// Formats entries for journald.
package enum JournalEntry {
    /// Where journald listens.
    package static let usualPath = "/run/systemd/journal/socket"

    /// `MESSAGE`, `PRIORITY`, `SYSLOG_IDENTIFIER`, `POSTSCALE_EVENT`, and each field of the event as
    /// `POSTSCALE_…`.
    static func text(
        _ level: Logger.Level, _ name: String, _ fields: [(String, String)]
    ) -> String {
        var message = name
        var lines = ""
        for (key, value) in fields {
            message += " " + LineLogHandler.pair(key, value)
            lines += "POSTSCALE_\(variable(key))=\(LineLogHandler.escaped(value))\n"
        }
        return "MESSAGE=\(message)\nPRIORITY=\(priority(level))\n"
            + "SYSLOG_IDENTIFIER=postscale-relay\nPOSTSCALE_EVENT=\(name)\n" + lines
    }

    /// A field's name, with capitals, digits and underscores only.
    private static func variable(_ key: String) -> String {
        String(key.uppercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
    }

    /// syslog's severities (RFC 5424 6.2.1).
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
