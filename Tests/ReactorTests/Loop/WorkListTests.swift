import TestSupport
import Testing

@testable import Reactor

@Suite struct WorkListTests {
    /// Something whose end can be seen.
    private final class Job {
        let number: Int
        init(_ number: Int) { self.number = number }
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `elements come out in the order in which they were added`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var list = WorkList<Int>()
        var added = 0
        var taken = 0
        for _ in 0..<2_000 {
            if Int.random(in: 0..<7, using: &generator) < 3 {
                list.append(added)
                added += 1
            } else if let next = list.next() {
                #expect(next == taken)
                taken += 1
            } else {
                #expect(taken == added)
            }
            #expect(list.isEmpty == (taken == added))
        }
        #expect(added > 100)
    }

    @Test func `what was taken is not kept`() {
        var list = WorkList<Job>()
        weak var seen: Job?
        for round in 0..<3 {
            var job: Job? = Job(round)
            seen = job
            list.append(job!)
            job = nil
            #expect(seen != nil)
            #expect(list.next()?.number == round)
            #expect(seen == nil)
            #expect(list.next() == nil)
        }
        var last: Job? = Job(3)
        seen = last
        list.append(last!)
        last = nil
        #expect(seen != nil)
        list.removeAll()
        #expect(seen == nil)
        #expect(list.isEmpty)
        #expect(list.next() == nil)
    }
}
