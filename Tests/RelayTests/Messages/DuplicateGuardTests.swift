
import Reactor
import TestSupport
import Testing

@testable import Relay

@Suite("The duplicate guard")
struct DuplicateGuardTests {
    private let now = MonotonicTime(nanoseconds: 1_000_000_000)
    private func digest(_ number: UInt64) -> ContentDigest { ContentDigest(high: number, low: 1) }

    @Test("a record answers once, within its window")
    func once() {
        let guarded = DuplicateGuard(windowMilliseconds: 100)
        guarded.record(digest(1), messageID: [1], at: now)
        #expect(guarded.claim(digest(2), at: now) == .unknown)
        #expect(guarded.claim(digest(1), at: now) == .accepted(messageID: [1]))
        #expect(guarded.claim(digest(1), at: now) == .unknown)
        guarded.record(digest(1), messageID: [1], at: now)
        #expect(guarded.claim(digest(1), at: now.advanced(byMilliseconds: 101)) == .unknown)
    }

    @Test("a try that is still open is not sent again; its end settles it")
    func pending() {
        let guarded = DuplicateGuard(windowMilliseconds: 100)
        guarded.recordPending(digest(1), until: now.advanced(byMilliseconds: 50), at: now)
        #expect(guarded.claim(digest(1), at: now) == .pending)
        guarded.settle(digest(1))
        #expect(guarded.claim(digest(1), at: now) == .unknown)
        guarded.recordPending(digest(1), until: now.advanced(byMilliseconds: 50), at: now)
        guarded.record(digest(1), messageID: [5], at: now)
        guarded.settle(digest(1))
        #expect(guarded.claim(digest(1), at: now) == .accepted(messageID: [5]))
    }

    @Test("the table is bounded, the oldest give way")
    func bound() {
        let guarded = DuplicateGuard(windowMilliseconds: 1_000, recordsMax: 100)
        for number in 0..<10_000 {
            guarded.record(digest(UInt64(number)), messageID: [], at: now)
            #expect(guarded.count <= 100)
        }
        #expect(guarded.claim(digest(0), at: now) == .unknown)
        #expect(guarded.claim(digest(9_999), at: now) == .accepted(messageID: []))
    }

    @Test("expired records leave as new ones come")
    func expiry() {
        let guarded = DuplicateGuard(windowMilliseconds: 10)
        for number in 0..<1_000 {
            guarded.record(
                digest(UInt64(number)), messageID: [],
                at: now.advanced(byMilliseconds: number))
        }
        #expect(guarded.count <= 11)
    }

    @Test("a window of nothing records nothing")
    func off() {
        let guarded = DuplicateGuard(windowMilliseconds: 0)
        guarded.record(digest(1), messageID: [1], at: now)
        #expect(guarded.count == 0)
    }
}

@Suite("The fingerprint of a submission")
struct DuplicateContentHashTests {
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
        let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        let whole = digest(bytes, cut: [count])
        for plan in mapperCuts(of: count, seed: 5) { #expect(digest(bytes, cut: plan) == whole) }
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
