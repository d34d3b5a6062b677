// Small texts that the sandbox writes and reads: hexadecimal names, times, queries.
//
// Nothing here is on the relay's byte path; plain and bounded is enough. RFC 9110 5.6.7 for HTTP
// dates, RFC 3986 2.1 for percent-encoding.

import Glibc
import Wire

enum SandboxText {
    /// `count` random hexadecimal digits, at most 16.
    static func randomHex(_ count: Int) -> String {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        return String((String(repeating: "0", count: 16) + digits).suffix(count))
    }

    /// A random version 4 UUID (RFC 9562 5.4).
    static func randomUUID() -> String {
        let variant = ["8", "9", "a", "b"][Int.random(in: 0..<4)]
        return [
            randomHex(8), randomHex(4), "4" + randomHex(3), variant + randomHex(3), randomHex(12),
        ].joined(separator: "-")
    }

    /// Seconds since 1970 by the wall clock.
    static func unixTime() -> Int { Glibc.time(nil) }

    /// "Sun, 01 Mar 2026 12:00:00 GMT"
    static func httpDate(_ seconds: Int) -> String {
        var time = time_t(seconds)
        var parts = tm()
        gmtime_r(&time, &parts)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { memory in
            let length = strftime(
                memory.baseAddress!, memory.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
            return String(decoding: memory.prefix(length).map(UInt8.init), as: UTF8.self)
        }
    }

    /// A number of one to seven digits; nil for anything else.
    static func number(_ digits: Substring) -> Int? {
        let isNumber =
            (1...7).contains(digits.utf8.count) && digits.utf8.allSatisfy { $0 &- 0x30 < 10 }
        return isNumber ? Int(digits) : nil
    }

    /// Decodes percent-encoding; a `%` without two digits stays. `+` is a blank in a query.
    static func percentDecoded(_ text: Substring, plusIsBlank: Bool = false) -> String {
        let source = Array(text.utf8)
        var result: [UInt8] = []
        result.reserveCapacity(source.count)
        var i = 0
        while i < source.count {
            if source[i] == 0x25, i + 2 < source.count, let high = source[i + 1].hexValue,
                let low = source[i + 2].hexValue
            {
                result.append(high << 4 | low)
                i += 3
            } else {
                result.append(plusIsBlank && source[i] == 0x2B ? 0x20 : source[i])
                i += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Whether `text` contains `part`, whose ASCII letters are in lower case; without regard to case.
    static func contains(_ text: Bytes, _ part: [UInt8]) -> Bool {
        guard let first = part.first, text.count >= part.count else { return part.isEmpty }
        for start in 0...text.count - part.count where text[start].asciiLowercased == first {
            var length = 1
            while length < part.count, text[start + length].asciiLowercased == part[length] {
                length += 1
            }
            if length == part.count { return true }
        }
        return false
    }
}
