// What the tests of the API side share.

import APIClient
import Reactor
import Wire

extension MonotonicTime {
    /// A point in time for tests: milliseconds after one second.
    package static func at(_ milliseconds: Int) -> MonotonicTime {
        MonotonicTime(nanoseconds: 1_000_000_000).advanced(byMilliseconds: milliseconds)
    }
}

extension APIKey {
    package convenience init(text: String) {
        let bytes = Array(text.utf8)
        self.init(bytes.span)
    }
}

extension APIOptions {
    package static func plain(port: UInt16) -> APIOptions {
        APIOptions(
            endpoint: APIEndpoint(
                isTLS: false, host: "127.0.0.1", port: port, basePath: "",
                authority: "127.0.0.1:\(port)"))
    }
}

/// A small seeded generator (Steele, Lea and Flood's SplitMix64).
package struct APISeed: RandomNumberGenerator {
    private var state: UInt64

    package init(_ seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Eight bytes at a time, because some tests send megabytes.
    package mutating func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count + 8) { memory, used in
            let raw = UnsafeMutableRawBufferPointer(memory)
            for offset in stride(from: 0, to: count, by: 8) {
                raw.storeBytes(of: next(), toByteOffset: offset, as: UInt64.self)
            }
            used = count
        }
    }

    /// Lengths of at most `longest` that add up to `count`.
    package mutating func cuts(_ count: Int, longest: Int) -> [Int] {
        var cuts: [Int] = []
        var left = count
        while left > 0 {
            let length = min(left, Int(next() % UInt64(longest + 1)))
            cuts.append(length)
            left -= length
        }
        return cuts
    }
}
