// How often something took how long, in fixed buckets: two for each doubling of the time, from 128
// µs to 67 s. A plain value without a pointer: recording takes a few instructions and never
// allocates. Histograms of several loops are added bucket by bucket.

/// Durations by bucket. A bucket counts durations above the bound before it, up to its own bound.
public struct LatencyHistogram: Sendable {
    /// Number of bounds. One more bucket, the last, counts what is above all of them.
    public static let boundCount = 39
    /// The least bound, in microseconds.
    private static let firstBoundMicroseconds = 128

    private var counts = InlineArray<40, UInt64>(repeating: 0)
    /// All durations together, in nanoseconds.
    public private(set) var sumNanoseconds: UInt64 = 0

    /// Empty.
    public init() {}

    /// Counts one duration.
    public mutating func record(nanoseconds: UInt64) {
        counts[Self.bucket(of: nanoseconds)] &+= 1
        sumNanoseconds &+= nanoseconds
    }

    /// Counts what `other` counted.
    public mutating func add(_ other: LatencyHistogram) {
        for bucket in 0...Self.boundCount { counts[bucket] &+= other.counts[bucket] }
        sumNanoseconds &+= other.sumNanoseconds
    }

    /// How many fell into a bucket, 0 to `boundCount`.
    public func count(inBucket bucket: Int) -> UInt64 { counts[bucket] }

    /// How many were recorded.
    public var count: UInt64 {
        var sum: UInt64 = 0
        for bucket in 0...Self.boundCount { sum &+= counts[bucket] }
        return sum
    }

    /// The upper bound of a bucket in microseconds: 128, 192, 256, 384, 512 and so on.
    public static func boundMicroseconds(_ bucket: Int) -> Int {
        precondition(bucket >= 0 && bucket < boundCount)
        let halves = bucket % 2 == 0 ? 2 : 3
        return firstBoundMicroseconds / 2 * halves << (bucket / 2)
    }

    /// The bucket of a duration.
    public static func bucket(of nanoseconds: UInt64) -> Int {
        // A bound belongs to its own bucket: rounded up, and one less from here on.
        let microseconds = nanoseconds / 1_000 &+ (nanoseconds % 1_000 == 0 ? 0 : 1)
        guard microseconds > UInt64(firstBoundMicroseconds) else { return 0 }
        let below = microseconds &- 1
        let doubling = 56 &- below.leadingZeroBitCount
        let half = Int(truncatingIfNeeded: below >> UInt64(doubling &+ 6)) & 1
        return min(1 &+ 2 &* doubling &+ half, boundCount)
    }
}
