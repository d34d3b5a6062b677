// Sums of losses: no kind may be forgotten.

import Testing

@testable import Mapping

struct MappingLossesTests {
    @Test func `adding up takes every kind`() {
        var one = MappingLosses()
        for (index, kind) in MappingLosses.kinds.enumerated() {
            one[keyPath: kind.count] = index + 1
        }
        var sum = one
        sum.add(one)
        for (index, kind) in MappingLosses.kinds.enumerated() {
            #expect(sum[keyPath: kind.count] == 2 * (index + 1), "\(kind.name)")
        }
        let fields = Mirror(reflecting: one).children.count
        #expect(fields == MappingLosses.kinds.count)
    }
}
