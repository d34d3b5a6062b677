// The golden pairs: each message becomes its request, however it is cut, with a new mapper and with
// one that was used before.

import Foundation
import TestSupport
import Testing

@testable import Mapping

@Suite("From message to request")
struct MapperGoldenTests {
    let bench = MapperBench()

    @Test("each golden pair maps to its request", arguments: GoldenPairs.all)
    func golden(pair: GoldenPair) throws {
        let result = bench.map(pair.mapped)
        #expect(result.failure == nil)
        let expected = try #require(parsed(pair.request), "the pair's own JSON")
        let text = String(decoding: result.json, as: UTF8.self)
        #expect(result.object == expected, "\(text)")
    }

    @Test(
        "the request does not depend on how the message arrives",
        arguments: GoldenPairs.all)
    func splits(pair: GoldenPair) {
        let whole = bench.map(pair.mapped)
        let message = pair.mapped
        let count = message.content.count
        for plan in Splits.plans(for: count, seed: UInt64(count), random: 7) {
            let cut = bench.map(message, cut: plan)
            #expect(cut.json == whole.json, "\(plan.prefix(20))")
            #expect(cut.losses.sum == whole.losses.sum)
        }
    }

    @Test("a mapper that is reused gives the same as a new one")
    func reuse() {
        let mapper = MessageMapper(
            options: MappingOptions(), charsets: bench.charsets, scratch: bench.scratch,
            pool: bench.slabs, heldBytesMax: 1_000)
        for pair in GoldenPairs.all where pair.options == MappingOptions() {
            let again = bench.map(pair.mapped, with: mapper)
            #expect(again.json == bench.map(pair.mapped).json)
        }
        #expect(bench.slabs.outstanding == 0)
    }
}
