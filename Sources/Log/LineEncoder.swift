// One event as a line: text, JSON, or an entry for journald, written straight into memory.
//
// One event is always one line: control characters and quotes are escaped, so a peer can't forge a
// line or move the operator's cursor. In journald's native form (systemd.io/JOURNAL_NATIVE_PROTOCOL)
// an entry is a datagram of fields, one a line. Values are escaped there as well, so none holds a line
// end or needs the binary form, and a peer can't add a field.

import Logging

/// How log lines look.
package enum LogFormat: String, Sendable, CaseIterable { case text, json, journald }

/// Writes events of one format. Fields come in the order of their keys.
struct LineEncoder: ~Copyable {
    /// In front of an entry for journald: its length, without these bytes.
    static let entryHeadBytes = 4

    private let format: LogFormat
    private(set) var cursor: LineCursor
    /// The lines of an entry after `MESSAGE`.
    private var fields: LineCursor

    init(format: LogFormat, slab: LogSlab) {
        self.format = format
        cursor = LineCursor(slab)
        fields = LineCursor(LogSlab(capacity: format == .journald ? 1_024 : 1))
    }

    /// Goes on in `slab`, with the next line.
    mutating func use(_ slab: LogSlab) { cursor.begin(in: slab) }

    /// - Parameters:
    ///   - time: 24 bytes; journald writes its own.
    ///   - name: as it is in text, so it must be harmless.
    mutating func begin(
        _ level: Logger.Level, _ name: UnsafeRawBufferPointer, time: UnsafeRawBufferPointer
    ) {
        cursor.begin()
        switch format {
        case .text:
            cursor.append(time)
            cursor.append(UInt8(ascii: " "))
            cursor.append(Self.word(level))
            cursor.append(UInt8(ascii: " "))
            cursor.append(name)
        case .json:
            cursor.append("{\"time\":\"")
            cursor.appendEscaped(time)
            cursor.append("\",\"level\":\"")
            cursor.append(Self.word(level))
            cursor.append("\",\"event\":\"")
            cursor.appendEscaped(name)
            cursor.append(UInt8(ascii: "\""))
        case .journald:
            for _ in 0..<Self.entryHeadBytes { cursor.append(0) }
            cursor.append("MESSAGE=")
            cursor.append(name)
            fields.clear()
            fields.append("\nPRIORITY=")
            fields.append(UInt8(ascii: "0") + Self.priority(level))
            fields.append("\nSYSLOG_IDENTIFIER=postscale-relay\nPOSTSCALE_EVENT=")
            fields.append(name)
            fields.append(UInt8(ascii: "\n"))
        }
    }

    mutating func field(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        switch format {
        case .text: appendPair(key, value)
        case .json:
            cursor.append(",\"")
            cursor.appendEscaped(key)
            cursor.append("\":\"")
            cursor.appendEscaped(value)
            cursor.append(UInt8(ascii: "\""))
        case .journald:
            appendPair(key, value)
            fields.append("POSTSCALE_")
            for byte in key { fields.append(Self.variable(byte)) }
            fields.append(UInt8(ascii: "="))
            fields.appendEscaped(value)
            fields.append(UInt8(ascii: "\n"))
        }
    }

    /// The same for a value that needs no quotes, and so is not empty.
    mutating func field(_ key: UnsafeRawBufferPointer, plain value: UnsafeRawBufferPointer) {
        switch format {
        case .text:
            cursor.append(UInt8(ascii: " "))
            cursor.append(key)
            cursor.append(UInt8(ascii: "="))
            cursor.append(value)
        case .json, .journald: field(key, value)
        }
    }

    mutating func field(_ key: UnsafeRawBufferPointer, decimal value: Int) {
        var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
        withUnsafeMutableBytes(of: &digits) { digits in
            var at = digits.count
            var rest = value.magnitude
            repeat {
                at -= 1
                digits[at] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            if value < 0 {
                at -= 1
                digits[at] = UInt8(ascii: "-")
            }
            field(key, plain: UnsafeRawBufferPointer(rebasing: digits[at...]))
        }
    }

    /// Sixteen lower-case digits.
    mutating func field(_ key: UnsafeRawBufferPointer, hexadecimal value: UInt64) {
        var digits: (UInt64, UInt64) = (0, 0)
        withUnsafeMutableBytes(of: &digits) { digits in
            for place in 0..<16 {
                let digit = UInt8(truncatingIfNeeded: value >> UInt64(60 - 4 * place)) & 0xF
                digits[place] = digit < 10 ? 0x30 + digit : 0x57 + digit
            }
            field(key, plain: UnsafeRawBufferPointer(digits))
        }
    }

    /// The line is whole.
    mutating func end() {
        switch format {
        case .text: cursor.append(UInt8(ascii: "\n"))
        case .json: cursor.append("}\n")
        case .journald:
            cursor.append(fields.line)
            cursor.noteLength(headBytes: Self.entryHeadBytes)
        }
    }

    /// ` key=value`, in quotes where the value needs them.
    @inline(__always)
    private mutating func appendPair(
        _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer
    ) {
        cursor.append(UInt8(ascii: " "))
        cursor.append(key)
        cursor.append(UInt8(ascii: "="))
        guard !cursor.appendPlain(value) else { return }
        cursor.append(UInt8(ascii: "\""))
        cursor.appendEscaped(value)
        cursor.append(UInt8(ascii: "\""))
    }

    private static func word(_ level: Logger.Level) -> StaticString {
        switch level {
        case .trace: "trace"
        case .debug: "debug"
        case .info: "info"
        case .notice: "notice"
        case .warning: "warning"
        case .error: "error"
        case .critical: "critical"
        }
    }

    /// syslog's severities (RFC 5424 6.2.1).
    private static func priority(_ level: Logger.Level) -> UInt8 {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    /// A byte of a field's name: capitals, digits and underscores only.
    private static func variable(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - 0x20
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): byte
        default: UInt8(ascii: "_")
        }
    }
}
