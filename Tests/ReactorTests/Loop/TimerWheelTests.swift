import Testing

@testable import Reactor

@Suite struct TimerWheelTests {
    private static func at(_ milliseconds: Int) -> MonotonicTime {
        MonotonicTime(nanoseconds: 1_000_000_000_000).advanced(byMilliseconds: milliseconds)
    }

    private static func due(_ wheel: inout TimerWheel, _ time: MonotonicTime) -> [Int] {
        var slots: [Int] = []
        while let slot = wheel.popDue(time) { slots.append(slot) }
        return slots
    }

    @Test func `a slot comes up at its time, rounded up, and once`() {
        var wheel = TimerWheel(now: Self.at(0))
        #expect(wheel.nextDue == nil)
        wheel.arm(3, at: Self.at(21))
        #expect(wheel.nextDue == Self.at(30))
        #expect(Self.due(&wheel, Self.at(29)) == [])
        #expect(Self.due(&wheel, Self.at(30)) == [3])
        #expect(Self.due(&wheel, Self.at(100_000)) == [])
        #expect(wheel.nextDue == nil)
    }

    @Test func `arming later keeps the earlier place, arming earlier moves`() {
        var wheel = TimerWheel(now: Self.at(0))
        wheel.arm(1, at: Self.at(50))
        wheel.arm(1, at: Self.at(500))
        #expect(wheel.nextDue == Self.at(50))
        wheel.arm(1, at: Self.at(20))
        #expect(wheel.nextDue == Self.at(20))
        wheel.disarm(1)
        wheel.disarm(1)
        #expect(wheel.nextDue == nil)
    }

    @Test func `a time in the past, zero and far ahead are legal`() {
        var wheel = TimerWheel(now: Self.at(0))
        wheel.arm(1, at: MonotonicTime(nanoseconds: 0))
        wheel.arm(2, at: MonotonicTime(nanoseconds: .max - 1))
        #expect(Self.due(&wheel, Self.at(10)) == [1])
        #expect(Self.due(&wheel, Self.at(40_000)) == [])
        #expect(Self.due(&wheel, Self.at(41_000)) == [2], "once a turn, to be armed again")
    }

    @Test func `thousands of random deadlines come up in order and never early`() {
        var wheel = TimerWheel(now: Self.at(0))
        let bytes = testBytes(20_000)
        var deadlines: [Int: MonotonicTime] = [:]
        for slot in 0..<5_000 {
            let milliseconds = Int(bytes[slot * 2]) << 7 | Int(bytes[slot * 2 + 1])
            deadlines[slot] = Self.at(milliseconds)
            wheel.arm(slot, at: Self.at(milliseconds))
        }
        for slot in stride(from: 0, to: 5_000, by: 7) {
            wheel.disarm(slot)
            deadlines[slot] = nil
        }
        var clock = 0
        var step = 0
        while !deadlines.isEmpty, clock < 60_000 {
            clock += Int(bytes[step % bytes.count])
            step += 1
            for slot in Self.due(&wheel, Self.at(clock)) {
                let deadline = deadlines.removeValue(forKey: slot)
                guard let deadline else {
                    Issue.record("slot \(slot) came up twice, or was disarmed")
                    continue
                }
                let previousClock = Self.at(clock - 255 - 10)
                #expect(deadline <= Self.at(clock) && deadline > previousClock)
            }
        }
        #expect(deadlines.isEmpty && wheel.nextDue == nil)
    }

    @Test func `the next time is correct at every position of the cursor`() {
        for start in stride(from: 0, to: 82_000, by: 790) {
            var wheel = TimerWheel(now: Self.at(start))
            for distance in [10, 630, 640, 650, 20_000, 40_900] {
                wheel.arm(1, at: Self.at(start + distance))
                let expected = (start + distance + 9) / 10 * 10
                #expect(wheel.nextDue == Self.at(expected))
                wheel.disarm(1)
            }
        }
    }
}
