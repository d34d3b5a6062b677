// Seeded cuts of an input: the same seed gives the same test.

/// Piece lengths that add up to `count`: byte by byte, and seeded cuts of several sizes.
package func mapperCuts(of count: Int, seed: UInt64) -> [[Int]] {
    var plans = [[Int](repeating: 1, count: count)]
    var generator = SeededGenerator(seed: seed)
    for longest in [2, 5, 17, 64, 300] {
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

/// A small seeded generator (xorshift64*); the same seed gives the same test.
package struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    package init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }
    package mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }
}
