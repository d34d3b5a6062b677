// Verdicts on keys: how long they are remembered, and that one loop asks for all loops.

import Reactor
import Synchronization
import TestSupport
import Testing

@testable import APIClient
@testable import Relay

@Suite("Key cache")
struct KeyCacheTests {
    private let cache = KeyCache(options: KeyOptions(), questionMillisecondsMax: 50_000)

    private func waiter(
        _ loop: Int, _ tell: @escaping @Sendable (APIKey.Hash, KeyVerdict) -> Void = { _, _ in }
    ) -> KeyCache.Waiter {
        KeyCache.Waiter(loopIndex: loop, tell: tell)
    }

    private func hash(_ number: UInt64) -> APIKey.Hash { APIKey.Hash(high: 1, low: number) }

    @Test("A verdict lives for its own time")
    func times() {
        for (number, verdict, lives) in [
            (1, KeyVerdict.valid, 60_000), (2, .refused, 10_000),
        ] {
            let key = hash(UInt64(number))
            #expect(cache.find(key, at: .at(0), waiter: waiter(0)) == .ask)
            cache.settle(key, verdict, at: .at(0))
            #expect(cache.find(key, at: .at(lives - 1), waiter: waiter(0)) == .known(verdict))
            #expect(cache.find(key, at: .at(lives), waiter: waiter(0)) == .ask)
        }
    }

    @Test("An operator can have any verdict forgotten")
    func forgotten() {
        for (number, verdict) in [(11, KeyVerdict.valid), (12, .refused)] {
            let key = hash(UInt64(number))
            #expect(!cache.forgetVerdict(on: key))
            #expect(cache.find(key, at: .at(0), waiter: waiter(0)) == .ask)
            cache.settle(key, verdict, at: .at(0))
            #expect(cache.find(key, at: .at(1), waiter: waiter(0)) == .known(verdict))
            #expect(cache.forgetVerdict(on: key))
            #expect(cache.find(key, at: .at(1), waiter: waiter(0)) == .ask)
        }
    }

    @Test("An outage is not remembered")
    func outage() {
        #expect(cache.find(hash(3), at: .at(0), waiter: waiter(0)) == .ask)
        cache.settle(hash(3), .unavailable(reason: "status 500"), at: .at(0))
        #expect(cache.find(hash(3), at: .at(0), waiter: waiter(0)) == .ask)
    }

    @Test("One loop asks, and the others are told once each")
    func singleFlight() {
        final class Notes: Sendable { let told = Mutex<[Int]>([]) }
        let notes = Notes()
        #expect(cache.find(hash(4), at: .at(0), waiter: waiter(0)) == .ask)
        for loop in [1, 2, 1, 2] {
            let finding = cache.find(
                hash(4), at: .at(1),
                waiter: waiter(loop) { _, verdict in
                    if verdict == .refused { notes.told.withLock { $0.append(loop) } }
                })
            #expect(finding == .wait)
        }
        cache.settle(hash(4), .refused, at: .at(2))
        #expect(notes.told.withLock { $0 } == [1, 2])
    }

    @Test("A lost flight does not block its key for ever")
    func lostFlight() {
        #expect(cache.find(hash(5), at: .at(0), waiter: waiter(0)) == .ask)
        #expect(cache.find(hash(5), at: .at(50_999), waiter: waiter(1)) == .wait)
        #expect(cache.find(hash(5), at: .at(51_000), waiter: waiter(1)) == .ask)
    }

    @Test("A forgotten key is asked about again")
    func forget() {
        _ = cache.find(hash(6), at: .at(0), waiter: waiter(0))
        cache.settle(hash(6), .valid, at: .at(0))
        cache.forget(hash(6))
        #expect(cache.find(hash(6), at: .at(1), waiter: waiter(0)) == .ask)
    }

    @Test("A flood of wrong keys does not push out a right one")
    func flood() {
        _ = cache.find(hash(7), at: .at(0), waiter: waiter(0))
        cache.settle(hash(7), .valid, at: .at(0))
        for number in 100..<200_000 {
            cache.settle(hash(UInt64(number)), .refused, at: .at(1))
        }
        #expect(cache.find(hash(7), at: .at(2), waiter: waiter(0)) == .known(.valid))
    }
}
