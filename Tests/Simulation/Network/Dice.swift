// The only source of chance in a simulation: xorshift64* from a seed (Marsaglia 2003, Vigna 2016).
//
// Each part of the world has its own dice, so that one more throw in one part does not change the
// others: a change to one kind of client does not change the network.

/// A seeded generator: a value that its owner changes in place.
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    /// - Parameters:
    ///   - seed: of the whole run.
    ///   - part: which part of the world these dice are for.
    init(seed: UInt64, part: UInt64) {
        var z = seed &+ part &* 0x9E37_79B9_7F4A_7C15 &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        state = (z ^ (z >> 31)) | 1
    }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }

    /// A whole number from `range`.
    mutating func number(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int((next() >> 11) % UInt64(range.count))
    }

    /// Small numbers more often than large ones: each power of two has the same chance.
    mutating func skewed(_ range: ClosedRange<Int>) -> Int {
        let bits = 64 - (range.upperBound - range.lowerBound).leadingZeroBitCount
        let shift = number(0...bits)
        let top = shift >= 62 ? Int.max : (1 << shift)
        return min(range.lowerBound + number(0...top) - 1 + 1, range.upperBound)
    }

    /// Whether an event with this chance happens.
    mutating func happens(_ chance: Double) -> Bool {
        chance > 0 && Double(next() >> 11) / Double(1 << 53) < chance
    }

    mutating func pick<Element>(_ choices: [Element]) -> Element {
        choices[number(0...choices.count - 1)]
    }
}
