// When an upload whose client pauses hands over a byte.

import APIClient
import Reactor
import Testing

@testable import Relay

@Suite("The clock of an upload that trickles")
struct TrickleClockTests {
    /// What the upload sees at one look.
    struct Look {
        let milliseconds: Int
        let sentBytes: Int
        let isDue: Bool
        /// Whether a byte that is due can leave.
        var leaves = true

        init(_ milliseconds: Int, _ sentBytes: Int, _ isDue: Bool, leaves: Bool = true) {
            self.milliseconds = milliseconds
            self.sentBytes = sentBytes
            self.isDue = isDue
            self.leaves = leaves
        }
    }

    private static func time(_ milliseconds: Int) -> MonotonicTime {
        MonotonicTime(nanoseconds: 5_000_000_000).advanced(byMilliseconds: milliseconds)
    }

    @Test(
        "A byte is due after two seconds in which nothing left, and every two seconds from then on",
        arguments: [
            // Nothing has left yet, because there is no connection: it is asked again and again.
            [
                Look(1_000, 0, false), Look(2_000, 0, true, leaves: false),
                Look(3_000, 0, true, leaves: false), Look(4_000, 16_384, false),
                Look(5_000, 16_384, false), Look(6_000, 16_384, true),
            ],
            // The client brings something in every second.
            (1...9).map { Look($0 * 1_000, $0 * 20_000, false) },
            // It pauses.
            [
                Look(1_000, 90_000, false), Look(2_000, 90_000, false), Look(3_000, 90_000, true),
                Look(4_000, 90_001, false), Look(5_000, 90_001, true), Look(6_000, 90_002, false),
                Look(7_000, 90_002, true), Look(8_000, 190_000, false),
                Look(9_000, 190_000, false), Look(10_000, 190_000, true),
            ],
            // The API does not read for a while.
            [
                Look(1_000, 90_000, false), Look(2_000, 90_000, false),
                Look(3_000, 90_000, true, leaves: false), Look(4_000, 90_000, true),
                Look(5_000, 90_001, false), Look(6_000, 90_001, true),
            ],
            // The byte waits for its turn on a line with a rate.
            [
                Look(1_000, 90_000, false), Look(3_000, 90_000, true), Look(4_000, 90_000, false),
                Look(5_000, 90_001, false), Look(6_000, 90_001, false), Look(7_000, 90_001, true),
            ],
        ])
    func table(_ looks: [Look]) {
        var clock = TrickleClock(at: Self.time(0))
        for look in looks {
            let now = Self.time(look.milliseconds)
            let isDue = clock.look(sentBytes: look.sentBytes, at: now)
            #expect(isDue == look.isDue, "at \(look.milliseconds) ms")
            if isDue, look.leaves { clock.trickled(at: now) }
        }
    }

    @Test("Looked at once a second, nothing is silent for more than three seconds")
    func silence() {
        for start in stride(from: 0, through: 1_000, by: 50) {
            var clock = TrickleClock(at: Self.time(0))
            var (sent, last) = (0, start)
            for look in 1...60 {
                let now = look * 1_000
                if last == start, now >= start { sent = max(sent, 50_000) }
                if clock.look(sentBytes: sent, at: Self.time(now)) {
                    clock.trickled(at: Self.time(now))
                    #expect(now - last <= 3_000)
                    (sent, last) = (sent + RequestBody.trickleBytes, now)
                }
            }
            #expect(last >= 59_000)
        }
    }
}
