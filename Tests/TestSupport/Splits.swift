// Ways to cut an input into pieces, for tests that a result does not depend on how the input
// arrives. The same seed gives the same cuts.

/// Ways to cut an input. A plan is a list of piece lengths that add up to the length of the input.
package enum Splits {
    /// Whole, byte by byte, and `random` seeded plans with short, long and empty pieces.
    package static func plans(for count: Int, seed: UInt64 = 1, random: Int = 8) -> [[Int]] {
        var generator = SeededGenerator(seed: seed)
        let longest = [2, 3, 7, 17, 40, 100, 300]
        return [[count], [Int](repeating: 1, count: count)]
            + (0..<random).map {
                plan(for: count, longest: longest[$0 % longest.count], using: &generator)
            }
    }

    /// One plan with random pieces of 0 to `longest` bytes.
    package static func plan(
        for count: Int, longest: Int, using generator: inout SeededGenerator
    ) -> [Int] {
        var plan: [Int] = []
        var left = count
        while left > 0 {
            let piece = min(left, Int.random(in: 0...longest, using: &generator))
            plan.append(piece)
            left -= piece
        }
        return plan
    }

    /// Every way to cut once, for short inputs.
    package static func everyCut(of count: Int) -> [[Int]] {
        (0...count).map { [$0, count - $0] }
    }
}
