// Random numbers for what nobody may guess, and for what must not happen everywhere at once.
//
// They come from OpenSSL's generator alone, because that is the one door that the simulation opens
// from its seed. Swift's own `.random(in:)` without a generator asks the kernel: a run that uses it
// can't be repeated.

import COpenSSL

/// OpenSSL's generator (RAND_bytes(3)), as a generator of Swift's. Usable on every thread.
package struct Randomness: RandomNumberGenerator, Sendable {
    package init() {}

    /// Traps when OpenSSL has none, because a process without randomness must not run.
    package mutating func next() -> UInt64 {
        var word: UInt64 = 0
        let status = withUnsafeMutableBytes(of: &word) {
            RAND_bytes($0.baseAddress?.assumingMemoryBound(to: UInt8.self), Int32($0.count))
        }
        precondition(status == 1, "OpenSSL has no random bytes")
        return word
    }

    /// A number that names something, and is not 0.
    package static func name() -> UInt64 {
        var randomness = Randomness()
        return .random(in: 1...UInt64.max, using: &randomness)
    }

    /// From 0 to `max`, for pauses that must not end everywhere at once.
    /// - Parameter max: at least 0.
    package static func upTo(_ max: Int) -> Int {
        var randomness = Randomness()
        return .random(in: 0...max, using: &randomness)
    }
}
