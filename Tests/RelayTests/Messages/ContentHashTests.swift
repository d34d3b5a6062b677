// The fingerprint of a submission: the same for the same bytes, whatever the cuts.

import Reactor
import TestSupport
import Testing

@testable import Relay

@Suite("The fingerprint of a submission")
struct ContentHashTests {
    private let key = ContentHash.Key(
        words: (
            0x9B05_688C_2B3E_6C1F, 0x510E_527F_ADE6_82D1, 0x3C6E_F372_FE94_F82B,
            0xA54F_F53A_5F1D_36F1
        ))

    private func digest(_ bytes: [UInt8], cut plan: [Int]) -> ContentDigest {
        var hash = ContentHash(key: key)
        var at = 0
        for length in plan {
            hash.feed(bytes.span.extracting(at..<at + length))
            at += length
        }
        return hash.digest()
    }

    @Test("depends on the bytes, not on the cuts", arguments: [0, 1, 31, 32, 33, 64, 100, 1_000])
    func splits(count: Int) {
        var generator = SeededGenerator(seed: UInt64(count) + 3)
        let bytes = generator.bytes(count)
        let whole = digest(bytes, cut: [count])
        for plan in Splits.plans(for: count, seed: 5) { #expect(digest(bytes, cut: plan) == whole) }
        for cut in 0...count { #expect(digest(bytes, cut: [cut, count - cut]) == whole) }
    }

    @Test("any byte that changes changes both halves, and so does the length")
    func differs() {
        let bytes = [UInt8](repeating: 0, count: 200)
        var seen: Set<ContentDigest> = [digest(bytes, cut: [200])]
        var halves: Set<UInt64> = []
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            let digest = digest(changed, cut: [200])
            #expect(seen.insert(digest).inserted)
            #expect(halves.insert(digest.high).inserted)
        }
        for count in 0..<200 {
            #expect(seen.insert(digest([UInt8](repeating: 0, count: count), cut: [count])).inserted)
        }
    }

    @Test("another key gives another fingerprint, a copy goes its own way")
    func keys() {
        let text = Array("message".utf8)
        var one = ContentHash(key: key)
        var other = ContentHash(key: .random())
        one.feed(text.span)
        other.feed(text.span)
        #expect(one.digest() != other.digest())
        var copy = one
        copy.feed(7)
        #expect(copy.digest() != one.digest())
    }
}
