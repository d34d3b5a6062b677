// Flows in the order of their level, against a plain list.

import TestSupport
import Testing

@testable import APIClient

@Suite("Flow order")
struct FlowOrderTests {
    /// All flows, lowest level first.
    private func walk(_ order: FlowOrder) -> [Int] {
        var result: [Int] = []
        var next = order.lowest
        while let flow = next {
            result.append(flow)
            next = order.flow(after: flow)
        }
        return result
    }

    @Test("The lowest is first, and equals stand in the order in which they came")
    func equals() {
        var order = FlowOrder()
        #expect(order.lowest == nil && order.highest == nil)
        for (flow, level) in [(3, 1), (0, 200), (1, 1), (2, 0)] {
            order.insert(flow, level: level)
        }
        #expect(walk(order) == [2, 3, 1, 0] && order.highest == 0)
        order.move(3, to: 1)
        #expect(walk(order) == [2, 1, 3, 0])
        order.remove(2)
        order.remove(0)
        #expect(order.lowest == 1 && order.highest == 1 && order.count == 2)
    }

    @Test("Random moves give the order of a list that is sorted", arguments: 1...20)
    func random(_ seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var order = FlowOrder()
        var list: [(flow: Int, level: Int)] = []
        for _ in 0..<500 {
            let flow = Int.random(in: 0..<40, using: &generator)
            let level = Int.random(
                in: 0...Int.random(in: 0...300, using: &generator), using: &generator)
            let isIn = list.contains { $0.flow == flow }
            list.removeAll { $0.flow == flow }
            if isIn, Bool.random(using: &generator) {
                order.remove(flow)
            } else {
                if isIn { order.move(flow, to: level) } else { order.insert(flow, level: level) }
                list.append((flow, level))
            }
            let sorted = list.enumerated().sorted {
                ($0.element.level, $0.offset) < ($1.element.level, $1.offset)
            }
            #expect(walk(order) == sorted.map { $0.element.flow })
            let highest = list.map { $0.level }.max()
            #expect(order.highest == list.first { $0.level == highest }?.flow)
        }
    }
}
