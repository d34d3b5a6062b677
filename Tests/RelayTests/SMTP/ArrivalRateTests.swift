// The rate of a message over its latest seconds with bytes, against the plainest way to count it.

import Reactor
import TestSupport
import Testing

@testable import Relay

@Suite("Arrival rate")
struct ArrivalRateTests {
    private static let rateMin = 1_000
    private static let start = MonotonicTime(nanoseconds: 5_000_000_000)

    private static func isTooSlow(
        _ rate: inout ArrivalRate, _ count: Int, _ milliseconds: Int, rateMin: Int = rateMin
    ) -> Bool {
        rate.isTooSlow(
            adding: count, at: start.advanced(byMilliseconds: milliseconds), rateMin: rateMin)
    }

    @Test("Fifteen whole seconds below the minimum are too slow, and not one fewer")
    func fifteenSeconds() {
        var rate = ArrivalRate()
        for second in 0..<15 { #expect(!Self.isTooSlow(&rate, 999, second * 1_000)) }
        #expect(Self.isTooSlow(&rate, 1_000_000, 15_000))
    }

    @Test("The minimum itself is fast enough, and no minimum judges nothing")
    func exactMinimum() {
        var exact = ArrivalRate()
        var free = ArrivalRate()
        for second in 0..<100 {
            #expect(!Self.isTooSlow(&exact, 1_000, second * 1_000))
            #expect(!Self.isTooSlow(&free, 1, second * 1_000, rateMin: 0))
        }
    }

    @Test(
        "Bytes and pauses of any kind are judged as the plainest count judges them",
        arguments: 0..<40 as Range<UInt64>)
    func likeThePlainCount(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var rate = ArrivalRate()
        var seconds: [(second: Int, bytes: Int)] = []
        var milliseconds = 0
        for _ in 0..<400 {
            milliseconds +=
                Int.random(in: 0..<4, using: &random) == 0
                ? Int.random(in: 0..<40_000, using: &random)
                : Int.random(in: 0..<900, using: &random)
            let count = Int.random(
                in: 1...(Bool.random(using: &random) ? 500 : 3_000), using: &random)
            let second = milliseconds / 1_000
            var isTooSlow = false
            if seconds.last?.second == second {
                seconds[seconds.count - 1].bytes += count
            } else {
                let whole = seconds.suffix(15)
                isTooSlow =
                    whole.count == 15
                    && whole.reduce(0) { $0 + $1.bytes } < 15 * Self.rateMin
                seconds.append((second, count))
            }
            #expect(Self.isTooSlow(&rate, count, milliseconds) == isTooSlow)
        }
    }
}
