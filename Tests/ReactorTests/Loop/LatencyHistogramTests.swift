import Reactor
import Testing

@Suite struct LatencyHistogramTests {
    /// The bucket, found by comparing with every bound.
    private func naiveBucket(_ nanoseconds: UInt64) -> Int {
        for bucket in 0..<LatencyHistogram.boundCount {
            if nanoseconds <= UInt64(LatencyHistogram.boundMicroseconds(bucket)) * 1_000 {
                return bucket
            }
        }
        return LatencyHistogram.boundCount
    }

    @Test func theBounds() {
        let bounds = (0..<LatencyHistogram.boundCount).map(LatencyHistogram.boundMicroseconds)
        #expect(bounds.prefix(6) == [128, 192, 256, 384, 512, 768])
        #expect(bounds.last == 67_108_864)
        #expect(bounds == bounds.sorted())
    }

    @Test func atEachBoundAndBesideIt() {
        for bucket in 0..<LatencyHistogram.boundCount {
            let bound = UInt64(LatencyHistogram.boundMicroseconds(bucket)) * 1_000
            #expect(LatencyHistogram.bucket(of: bound) == bucket)
            #expect(LatencyHistogram.bucket(of: bound - 1) == bucket)
            #expect(LatencyHistogram.bucket(of: bound + 1) == bucket + 1)
        }
        #expect(LatencyHistogram.bucket(of: 0) == 0)
        #expect(LatencyHistogram.bucket(of: .max) == LatencyHistogram.boundCount)
    }

    @Test func likeALookThroughTheBounds() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let nanoseconds = random.next() >> UInt64.random(in: 0..<64)
            #expect(LatencyHistogram.bucket(of: nanoseconds) == naiveBucket(nanoseconds))
        }
    }

    @Test func sums() {
        var one = LatencyHistogram()
        one.record(nanoseconds: 0)
        one.record(nanoseconds: 1_000_000)
        var other = LatencyHistogram()
        other.record(nanoseconds: 1_000_000)
        other.record(nanoseconds: 100_000_000_000)
        one.add(other)
        #expect(one.count == 4)
        #expect(one.sumNanoseconds == 100_002_000_000)
        #expect(one.count(inBucket: 0) == 1)
        #expect(one.count(inBucket: LatencyHistogram.bucket(of: 1_000_000)) == 2)
        #expect(one.count(inBucket: LatencyHistogram.boundCount) == 1)
    }
}
