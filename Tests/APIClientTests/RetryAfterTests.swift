// Retry-After (RFC 9110 10.2.3) in all its forms.

import Testing
import Wire

@testable import APIClient

@Suite("Retry-After")
struct RetryAfterTests {
    /// Sun, 06 Nov 1994 08:49:37 GMT
    static let moment: Int64 = 784_111_777

    @Test(
        "Seconds, and dates in all three forms",
        arguments: [
            ("120", 120), (" 0 ", 0), ("99999999999999999999999", 31_536_000),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 60), ("Sunday, 06-Nov-94 08:49:37 GMT", 60),
            ("Sun Nov  6 08:49:37 1994", 60), ("Sun, 06 Nov 1994 08:48:00 GMT", 0),
            ("Tue, 29 Feb 2000 00:00:00 GMT", 951_782_400 - 784_111_717),
            ("", nil), ("-1", nil), ("1.5", nil), ("soon", nil),
            ("Sun, 06 Nov 1994 24:49:37 GMT", nil), ("Sun, 06 Foo 1994 08:49:37 GMT", nil),
            ("Sun, 99 Nov 1994 08:49:37 GMT", nil), ("Sun, 06 Nov 1994 08:49 GMT", nil),
        ] as [(String, Int?)])
    func forms(_ value: String, _ seconds: Int?) {
        let bytes = Array(value.utf8)
        #expect(RetryAfter.seconds(bytes.span, now: RetryAfterTests.moment - 60) == seconds)
    }
}
