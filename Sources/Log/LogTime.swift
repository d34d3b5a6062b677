// Wall-clock time as lines of the log have it: RFC 3339, in UTC, with milliseconds.

import Glibc

/// Wall-clock time as RFC 3339 text in UTC.
package enum Timestamp {
    /// Bytes of each text.
    static let byteCount = 24

    /// `seconds` since 1970, leap seconds not counted.
    package static func text(seconds: Int, milliseconds: Int) -> String {
        var broken = tm()
        var time = time_t(seconds)
        gmtime_r(&time, &broken)
        var writer = TimeWriter()
        writer.write(Int(broken.tm_year) + 1900, 4, UInt8(ascii: "-"))
        writer.write(Int(broken.tm_mon) + 1, 2, UInt8(ascii: "-"))
        writer.write(Int(broken.tm_mday), 2, UInt8(ascii: "T"))
        writer.write(Int(broken.tm_hour), 2, UInt8(ascii: ":"))
        writer.write(Int(broken.tm_min), 2, UInt8(ascii: ":"))
        writer.write(Int(broken.tm_sec), 2, UInt8(ascii: "."))
        writer.write(milliseconds, 3, UInt8(ascii: "Z"))
        return String(decoding: writer.text, as: UTF8.self)
    }
}

/// The time of now as text. Within one second only three digits change.
struct LineClock {
    private var second = Int.min
    private var text = InlineArray<24, UInt8>(repeating: UInt8(ascii: "0"))

    /// The text becomes that of now.
    mutating func read() {
        var spec = timespec()
        clock_gettime(CLOCK_REALTIME, &spec)
        set(seconds: Int(spec.tv_sec), milliseconds: Int(spec.tv_nsec) / 1_000_000)
    }

    mutating func set(seconds: Int, milliseconds: Int) {
        if seconds != second {
            second = seconds
            for (index, byte) in Timestamp.text(seconds: seconds, milliseconds: 0).utf8.enumerated()
            {
                text[index] = byte
            }
        }
        text[20] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: milliseconds / 100)
        text[21] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: milliseconds / 10 % 10)
        text[22] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: milliseconds % 10)
    }

    /// Lends the text, for the time of the call.
    func withText<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeBytes(of: text, body)
    }
}

/// Writes numbers with a fixed count of digits.
private struct TimeWriter {
    private(set) var text: [UInt8] = []

    init() { text.reserveCapacity(Timestamp.byteCount) }

    mutating func write(_ value: Int, _ digits: Int, _ end: UInt8) {
        var unit = 1
        for _ in 1..<digits { unit *= 10 }
        while unit > 0 {
            text.append(0x30 + UInt8(max(0, value) / unit % 10))
            unit /= 10
        }
        text.append(end)
    }
}
