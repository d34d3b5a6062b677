// Sums of losses: no kind may be forgotten.

import Testing

@testable import Mapping

@Suite("Losses by kind")
struct MappingLossesTests {
    @Test("Adding takes every kind, each in a place of its own")
    func add() {
        var one = MappingLosses()
        for (index, kind) in MappingLosses.Kind.allCases.enumerated() { one[kind] = index + 1 }
        var sum = one
        sum.add(one)
        for (index, kind) in MappingLosses.Kind.allCases.enumerated() {
            #expect(one[kind] == index + 1 && sum[kind] == 2 * (index + 1), "\(kind)")
        }
        #expect(sum != one && sum.sum == 2 * one.sum)
        let places = MemoryLayout<MappingLosses>.size / MemoryLayout<Int>.size
        #expect(places == MappingLosses.Kind.allCases.count)
    }

    @Test("Each kind has a name of its own, and the summary shows those that were counted")
    func names() {
        var losses = MappingLosses()
        #expect(losses.summary.isEmpty)
        losses[.preambles] = 1
        losses[.headersNotPassed] = 2
        #expect(losses.summary == "headers_not_passed=2 preambles=1")
        let names = Set(MappingLosses.Kind.allCases.map { "\($0.name)" })
        #expect(names.count == MappingLosses.Kind.allCases.count)
    }
}
