// The Retry-After header (RFC 9110 10.2.3): seconds, or a date in one of the three forms of
// RFC 9110 5.6.7. The time is an argument, in wall-clock seconds, because dates are wall-clock time.

import Wire

/// Reads Retry-After.
enum RetryAfter {
    /// Seconds to wait as of `now` (seconds since 1970); a date in the past is 0. nil when the
    /// value is neither form.
    static func seconds(_ value: Bytes, now: Int64) -> Int? {
        let range = value.trimmed(0..<value.count)
        let text = value.extracting(range)
        guard text.count >= 1, text.count <= 64 else { return nil }
        if let seconds = number(text) { return seconds }
        guard let date = HTTPDate.seconds(text) else { return nil }
        return Int(clamping: max(0, date - now))
    }

    /// A number of digits only; more than the seconds of a year becomes a year.
    private static func number(_ text: Bytes) -> Int? {
        var value = 0
        for index in text.indices {
            guard (0x30...0x39).contains(text[index]) else { return nil }
            value = min(value * 10 + Int(text[index] - 0x30), 31_536_000)
        }
        return value
    }
}

/// Dates of HTTP.
package enum HTTPDate {
    private static let months = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]

    /// Seconds since 1970 of "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT" or
    /// "Sun Nov  6 08:49:37 1994"; nil for anything else.
    package static func seconds(_ text: Bytes) -> Int64? {
        let words = text.copiedText().lowercased()
            .split(whereSeparator: { $0 == " " || $0 == "," || $0 == "-" })
            .map(String.init)
        switch words.count {
        case 6 where words[5] == "gmt":
            return seconds(day: words[1], month: words[2], year: words[3], clock: words[4])
        case 5:
            return seconds(day: words[2], month: words[1], year: words[4], clock: words[3])
        default:
            return nil
        }
    }

    private static func seconds(day: String, month: String, year: String, clock: String) -> Int64? {
        let parts = clock.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
        guard let day = Int(day), let monthIndex = months.firstIndex(of: month),
            let year = fullYear(year), parts.count == 3,
            let hour = parts[0], let minute = parts[1], let second = parts[2],
            (1...31).contains(day), (0...23).contains(hour), (0...59).contains(minute),
            (0...60).contains(second)
        else { return nil }
        let days = daysSince1970(year: year, month: monthIndex + 1, day: day)
        return Int64(days * 86_400 + hour * 3_600 + minute * 60 + second)
    }

    /// Two digits mean 1970 to 2069: the RFC's "not more than 50 years ahead", without a clock.
    private static func fullYear(_ text: String) -> Int? {
        guard let year = Int(text), (0...9_999).contains(year) else { return nil }
        guard text.utf8.count == 2 else { return text.utf8.count == 4 ? year : nil }
        return year < 70 ? 2_000 + year : 1_900 + year
    }

    /// Days from 1970-01-01 in the Gregorian calendar, counting years from March so that the leap
    /// day is the last one.
    private static func daysSince1970(year: Int, month: Int, day: Int) -> Int {
        let marchYear = month > 2 ? year : year - 1
        let marchMonth = (month + 9) % 12
        let leapDays = marchYear / 4 - marchYear / 100 + marchYear / 400
        return marchYear * 365 + leapDays + (153 * marchMonth + 2) / 5 + day - 1 - 719_468
    }
}
