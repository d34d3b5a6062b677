import Testing

@testable import Reactor

@Suite struct ArrivalClockTests {
    private func at(_ milliseconds: Int) -> MonotonicTime {
        MonotonicTime(nanoseconds: 5_000_000_000).advanced(byMilliseconds: milliseconds)
    }

    @Test func `bytes that did not wait arrive when they are read`() {
        var clock = ArrivalClock()
        #expect(!clock.isLate(at: at(0)))
        #expect(clock.read(10, at: at(7)) == at(7))
        clock.paused(at: at(10))
        #expect(!clock.isLate(at: at(1_009)))
        #expect(clock.read(10, at: at(1_009)) == at(1_009))
    }

    @Test func `bytes that wait at the end of a long pause arrived at its beginning`() {
        var clock = ArrivalClock()
        clock.paused(at: at(0))
        #expect(clock.isLate(at: at(1_000)))
        clock.unread(100)
        #expect(clock.read(60, at: at(1_001)) == at(0))
        #expect(clock.read(60, at: at(1_002)) == at(0), "its first bytes are late ones")
        #expect(clock.read(60, at: at(1_003)) == at(1_003))
    }

    @Test func `pauses in a row: each byte has the time of its own`() {
        var clock = ArrivalClock()
        clock.paused(at: at(0))
        clock.unread(100)
        #expect(clock.read(50, at: at(2_000)) == at(0))
        clock.paused(at: at(2_000))
        clock.unread(80)
        #expect(clock.read(50, at: at(4_000)) == at(0))
        #expect(clock.read(30, at: at(4_000)) == at(2_000))
        #expect(clock.read(1, at: at(4_001)) == at(4_001))
    }

    @Test func `a pause in which nothing comes changes nothing`() {
        var clock = ArrivalClock()
        clock.paused(at: at(0))
        clock.unread(0)
        #expect(clock.read(5, at: at(9_000)) == at(9_000))
    }

    /// With real sockets, and a pause that is longer than a second.
    @Test func `a stream knows how long its bytes may have waited`() throws {
        let test = try TestLoop()
        let (server, client) = (Recorder(), Recorder())
        let listener = try test.listen { server }
        let stream = test.connect(listener, client)
        client.onOpened = { $0.write("1") }
        var pausedAt = MonotonicTime.never
        var arrivals: [MonotonicTime] = []
        server.onReceived = { own, _ in
            arrivals.append(own.arrivedAt)
            switch server.text {
            case "1":
                pausedAt = test.loop.now
                own.pauseReceiving()
                stream.write("2")
                stream.deadline = pausedAt.advanced(byMilliseconds: 1_100)
            case "12": stream.write("3")
            default: stream.finish()
            }
        }
        client.onTimedOut = { _ in server.stream?.resumeReceiving() }
        test.run { client.isClosed && server.isClosed }
        #expect(server.text == "123" && arrivals.count == 3)
        #expect(arrivals[1] == pausedAt)
        #expect(arrivals[2].milliseconds(since: pausedAt) >= 1_100)
    }
}
