// Shared by the tests of this module: a seeded generator, ways to cut an input into pieces, and a
// driver that runs a transform over any cut with regions of any size. The same seed gives the same
// test.

@testable import Wire

/// A small seeded generator (Steele, Lea and Flood's SplitMix64).
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// `count` bytes out of `alphabet`.
    mutating func bytes(_ count: Int, from alphabet: [UInt8]) -> [UInt8] {
        (0..<count).map { _ in alphabet[Int(next() % UInt64(alphabet.count))] }
    }

    /// `count` bytes of any value.
    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }
}

/// Ways to cut an input: each plan is a list of piece lengths that add up to the input's.
enum Splits {
    /// Whole, byte by byte, and `random` seeded cuts with short and long pieces (and empty ones).
    static func plans(for count: Int, seed: UInt64 = 1, random: Int = 8) -> [[Int]] {
        var plans = [[count], [Int](repeating: 1, count: count)]
        var generator = SplitMix64(seed: seed)
        for round in 0..<random {
            let longest = [2, 3, 7, 17, 40, 100][round % 6]
            var plan: [Int] = []
            var left = count
            while left > 0 {
                let piece = min(left, Int.random(in: 0...longest, using: &generator))
                plan.append(piece)
                left -= piece
            }
            plans.append(plan)
        }
        return plans
    }

    /// Every way to cut once, for short inputs.
    static func everyCut(of count: Int) -> [[Int]] {
        (0...count).map { [$0, count - $0] }
    }
}

extension Array where Element == UInt8 {
    /// The pieces of these bytes that `plan` asks for.
    func pieces(_ plan: [Int]) -> [[UInt8]] {
        var at = 0
        return plan.map { length in
            defer { at += length }
            return Array(self[at..<at + length])
        }
    }

    /// These bytes as text, for messages and comparisons that a person can read.
    var text: String { String(decoding: self, as: UTF8.self) }
}

extension String {
    var bytes: [UInt8] { Array(utf8) }
}

/// What `body` writes into a fresh region of `capacity` bytes.
func written(capacity: Int, _ body: (inout Region) -> Void) -> [UInt8] {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(capacity, 1)) { memory in
        var region = Region(UnsafeMutableBufferPointer(rebasing: memory[0..<capacity]))
        body(&region)
        return region.bytes.copied()
    }
}

/// Runs a transform over `input` cut by `plan`, with regions of `regionBytes` bytes, and returns
/// all that it wrote; nil when it neither takes input nor writes.
func transformed(
    _ input: [UInt8], plan: [Int], regionBytes: Int,
    feed: (Bytes, inout Region) -> Int, finish: (inout Region) -> Bool
) -> [UInt8]? {
    var output: [UInt8] = []
    for piece in input.pieces(plan) {
        var taken = 0
        while taken < piece.count {
            var now = 0
            let some = written(capacity: regionBytes) { region in
                now = feed(piece.span.extracting(taken..<piece.count), &region)
            }
            if now == 0 && some.isEmpty { return nil }
            taken += now
            output += some
        }
    }
    var isDone = false
    while !isDone {
        let some = written(capacity: regionBytes) { isDone = finish(&$0) }
        if !isDone && some.isEmpty { return nil }
        output += some
    }
    return output
}
