import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Reactor

@Suite struct LoopTests {
    private final class Alarm: TimerHandler {
        var fired: [MonotonicTime] = []
        var onFired: ((LoopTimer) -> Void)?

        override func timerFired(_ timer: LoopTimer) {
            onFired?(timer)
        }
    }

    @Test func `work posted from many threads all runs, in each thread's order`() throws {
        let test = try TestLoop()
        let mailbox = test.loop.mailbox
        let counts = Locked([Int](repeating: 0, count: 8))
        let isOrdered = Atomic(true)
        let threads = ThreadBox(count: 8) { index in
            for number in 0..<1_000 {
                mailbox.post {
                    counts.withLock { counts in
                        if counts[index] != number { isOrdered.store(false, ordering: .relaxed) }
                        counts[index] += 1
                    }
                }
            }
        }
        test.run { counts.withLock { $0 == [Int](repeating: 1_000, count: 8) } }
        threads.join()
        let wasOrdered = isOrdered.load(ordering: .relaxed)
        #expect(wasOrdered)
        mailbox.post { Issue.record("the loop has stopped") }
    }

    @Test func `later work runs in its tick, and what it adds in the next`() throws {
        let test = try TestLoop()
        var order: [String] = []
        test.loop.later {
            order.append("first")
            test.loop.later { order.append("third") }
        }
        test.loop.later { order.append("second") }
        test.loop.tick()
        #expect(order == ["first", "second"])
        test.run { order.count == 3 }
        #expect(order == ["first", "second", "third"])
    }

    @Test func `work for the end runs once, when everything is closed`() throws {
        let test = try TestLoop()
        let client = Recorder()
        let listener = try test.listen { Recorder() }
        _ = test.connect(listener, client)
        var ends = 0
        test.loop.whenEnded {
            #expect(client.closes == [.local] && test.loop.slots.count == 0)
            ends += 1
        }
        test.run { client.openedCount == 1 }
        test.loop.run()
        #expect(ends == 1)
    }

    @Test func `a timer fires at its time, can be moved, disarmed and armed again`() throws {
        let test = try TestLoop()
        let alarm = Alarm()
        alarm.onFired = { timer in
            alarm.fired.append(test.loop.now)
            if alarm.fired.count < 3 {
                timer.arm(at: test.loop.now.advanced(byMilliseconds: 20))
            }
        }
        let silent = Alarm()
        silent.onFired = { _ in Issue.record("it was disarmed") }
        let begin = test.loop.now
        let timer = LoopTimer(loop: test.loop, handler: alarm)
        let other = LoopTimer(loop: test.loop, handler: silent)
        other.arm(at: begin.advanced(byMilliseconds: 10))
        other.cancel()
        timer.arm(at: begin.advanced(byMilliseconds: 10))
        timer.arm(at: begin.advanced(byMilliseconds: 50))
        test.run { alarm.fired.count == 3 }
        #expect(alarm.fired[0].milliseconds(since: begin) >= 50)
        #expect(alarm.fired[2].milliseconds(since: begin) >= 90)
        alarm.onFired = nil
    }

    @Test func `stopping closes every stream, and each handler is told once`() throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        var servers: [Recorder] = []
        let listener = try test.listen(tls: pair.server) {
            servers.append(Recorder())
            return servers.last
        }
        let clients = (0..<10).map { _ in Recorder() }
        for client in clients { _ = test.connect(listener, tls: pair.client, client) }
        test.run { servers.count(where: { $0.openedCount == 1 }) >= 5 }
        #expect(clients.allSatisfy { $0.closes.count == 1 })
        #expect(servers.allSatisfy { $0.closes.count == 1 })
    }

    @Test func `a token of an earlier occupant finds nothing`() {
        var table = SlotTable()
        let first = table.reserve()
        table.release(first)
        let second = table.reserve()
        #expect(second.slot != first.slot, "not in the same tick")
        table.recycle()
        let third = table.reserve()
        #expect(third.slot == first.slot && third != first)
        guard case .nobody = table.find(first) else {
            Issue.record("a stale token was taken for a fresh one")
            return
        }
        table.release(second)
        table.release(third)
        #expect(table.count == 0)
    }

    @Test func `a group runs a loop on each of its threads and ends them`() throws {
        let seen = Locked<Set<Int>>([])
        let group = try LoopGroup(count: 3, backend: testBackend) { loop in
            seen.withLock { _ = $0.insert(loop.index) }
            return loop
        }
        #expect(group.mailboxes.count == 3)
        #expect(seen.withLock { $0 } == [0, 1, 2])
        let names = Locked<Set<String>>([])
        for mailbox in group.mailboxes {
            mailbox.post {
                var name = [UInt8](repeating: 0, count: 32)
                let file = open("/proc/thread-self/comm", O_RDONLY)
                let count = read(file, &name, name.count)
                close(file)
                let text = String(decoding: name.prefix(max(count - 1, 0)), as: UTF8.self)
                names.withLock { _ = $0.insert(text) }
            }
        }
        while names.withLock({ $0.count }) < 3 { usleep(1_000) }
        #expect(names.withLock { $0 } == ["loop-0", "loop-1", "loop-2"])
        group.stop()
        group.join()
        group.join()
    }

    @Test func `a group whose set-up fails ends its threads and says why`() {
        let error = SystemError(operation: "bind 0.0.0.0:25", errno: EACCES)
        let thrown = #expect(throws: SystemError.self) {
            _ = try LoopGroup(count: 2, backend: testBackend) { loop in
                if loop.index == 1 { throw error }
                return loop
            }
        }
        #expect(thrown?.description == "bind 0.0.0.0:25: Permission denied")
    }

    @Test func `a port in use is refused with a reason`() throws {
        let test = try TestLoop()
        let listener = try test.listen { nil }
        // SO_REUSEPORT shares the address among our own sockets; a socket without it does not
        // share.
        let other = try #require(SocketAddress("192.0.2.1:25"))
        let thrown = #expect(throws: SystemError.self) {
            _ = try Listener(
                loop: test.loop, address: other, tls: nil, handler: ListenerHandler())
        }
        #expect(thrown?.description.hasPrefix("bind 192.0.2.1:25: ") == true)
        listener.close()
        test.run { true }
    }
}

/// Threads that a test waits for.
private final class ThreadBox {
    private final class Start: Sendable {
        let index: Int
        let body: @Sendable (Int) -> Void

        init(_ index: Int, _ body: @escaping @Sendable (Int) -> Void) {
            self.index = index
            self.body = body
        }
    }

    private var threads: [pthread_t] = []

    init(count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        for index in 0..<count {
            var thread = pthread_t()
            let start = Unmanaged.passRetained(Start(index, body))
            pthread_create(
                &thread, nil,
                { argument in
                    guard let argument else { return nil }
                    let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                    start.body(start.index)
                    return nil
                }, start.toOpaque())
            threads.append(thread)
        }
    }

    func join() { for thread in threads { pthread_join(thread, nil) } }
}
