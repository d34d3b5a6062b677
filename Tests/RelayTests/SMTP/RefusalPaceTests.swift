// Which refused MAIL is logged.

import TestSupport
import Testing

@testable import APIClient
@testable import Relay

@Suite("One line a minute and key")
struct RefusalPaceTests {
    private let one = APIKey.Hash(high: 1, low: 1)
    private let other = APIKey.Hash(high: 1, low: 2)

    @Test("The first refusal has a line, and each later line tells how many had none")
    func counts() {
        let pace = RefusalPace()
        #expect(pace.note(one, at: .at(0)) == 1)
        for time in 1...500 { #expect(pace.note(one, at: .at(time * 100)) == nil) }
        #expect(pace.note(other, at: .at(50_000)) == 1)
        #expect(pace.note(one, at: .at(59_999)) == nil)
        #expect(pace.note(one, at: .at(60_000)) == 502)
        #expect(pace.note(one, at: .at(119_999)) == nil)
        #expect(pace.note(one, at: .at(120_000)) == 2)
    }

    @Test("Keys are bounded: the older half is forgotten")
    func bounded() {
        let pace = RefusalPace()
        for low in 0..<UInt64(RefusalPace.keysMax) {
            #expect(pace.note(APIKey.Hash(high: 2, low: low), at: .at(0)) == 1)
        }
        #expect(pace.note(APIKey.Hash(high: 2, low: 0), at: .at(1)) == 1)
    }
}
