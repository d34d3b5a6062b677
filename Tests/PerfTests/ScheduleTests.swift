import Testing

@testable import Perf
@testable import Reactor

@Suite struct ScheduleTests {
    private let start = MonotonicTime(nanoseconds: 5_000_000_000)

    @Test func `Messages are due at even distances from the start`() {
        let schedule = Schedule(start: start, ratePerSecond: 1_000)
        #expect(schedule.due(0) == start)
        #expect(schedule.due(1).nanoseconds == 5_001_000_000)
        #expect(schedule.due(2_500).nanoseconds == 7_500_000_000)
    }

    @Test func `Nothing is due before the start`() {
        let schedule = Schedule(start: start, ratePerSecond: 1_000)
        #expect(schedule.dueCount(by: MonotonicTime(nanoseconds: 4_999_999_999)) == 0)
        #expect(schedule.dueCount(by: start) == 1)
    }

    @Test(arguments: [0.5, 3, 7.3, 999.9, 12_345.6])
    func `The number of due messages agrees with their times`(rate: Double) {
        let schedule = Schedule(start: start, ratePerSecond: rate)
        for number in stride(from: 0, to: 3_000, by: 7) {
            let due = schedule.due(number)
            #expect(schedule.dueCount(by: due) == number + 1)
            let before = MonotonicTime(nanoseconds: due.nanoseconds - 1)
            #expect(schedule.dueCount(by: before) == number)
        }
    }
}

@Suite struct LoadPlanTests {
    private func plan() -> LoadPlan {
        LoadPlan(server: SocketAddress("127.0.0.1:25")!)
    }

    @Test func `A number of messages comes on top of the warm-up`() {
        var plan = plan()
        plan.messages = 10
        plan.warmUpMessages = 3
        #expect(plan.messagesInAll == 13)
    }

    @Test func `A duration has no number, unless a rate gives one`() {
        var plan = plan()
        plan.durationMilliseconds = 2_500
        #expect(plan.messagesInAll == nil)
        plan.ratePerSecond = 100
        #expect(plan.messagesInAll == 250)
    }
}
