import Glibc
import Testing

@testable import Reactor

@Suite struct ListenerTests {
    @Test func `a listener without descriptors rests, counts the rest, and continues`() async {
        await #expect(processExitsWith: .success) {
            let test = try TestLoop()
            var servers: [Recorder] = []
            let listener = try test.listen {
                servers.append(Recorder())
                return servers.last
            }
            let clients = (0..<6).map { _ in Recorder() }
            for client in clients { _ = test.connect(listener, client) }
            // Three more descriptors than are in use now. Inherited descriptors leave gaps, which
            // are filled first; another thread of this process may take or free one in that time.
            let highest = (0..<Int32(4_096)).last { fcntl($0, F_GETFD) != -1 } ?? 0
            var top = dup(0)
            while top < highest { top = dup(0) }
            close(top)
            var limit = rlimit(rlim_cur: rlim_t(top + 3), rlim_max: rlim_t(top + 3))
            #expect(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
            let begin = MonotonicTime.readClock()
            while test.loop.counters.acceptPauses == 0 { test.loop.tick() }
            #expect((1...5).contains(servers.count))
            let ticks = test.loop.counters.ticks
            test.loop.later {}
            test.run {
                for server in servers { server.stream?.abort() }
                return servers.count == 6
            }
            let waited = MonotonicTime.readClock().milliseconds(since: begin)
            #expect(waited >= 900)
            #expect(test.loop.counters.ticks - ticks < 200, "it does not spin")
        }
    }

    @Test(arguments: [true, false])
    func `an address that is not shared belongs to one socket`(_ isFirstShared: Bool) throws {
        let test = try TestLoop()
        let first = try Listener(
            loop: test.loop, address: SocketAddress("127.0.0.1:0")!, tls: nil,
            isShared: isFirstShared, handler: ListenerHandler())
        for isShared in [true, false] where !(isFirstShared && isShared) {
            let thrown = #expect(throws: SystemError.self) {
                _ = try Listener(
                    loop: test.loop, address: first.address, tls: nil, isShared: isShared,
                    handler: ListenerHandler())
            }
            #expect(thrown?.errno == EADDRINUSE)
        }
        first.close()
        test.run { true }
    }

    @Test
    func `a listener with a full owner rests, and accepts waiting clients when there is room`()
        throws
    {
        let test = try TestLoop()
        let door = Door(places: 3)
        let listener = try Listener(
            loop: test.loop, address: SocketAddress("127.0.0.1:0")!, tls: nil, handler: door)
        let clients = (0..<10).map { _ in Recorder() }
        for client in clients { _ = test.connect(listener, client) }
        while door.pauses.isEmpty { test.loop.tick() }
        let ticks = test.loop.counters.ticks
        let end = MonotonicTime.readClock().advanced(byMilliseconds: 350)
        while MonotonicTime.readClock() < end { test.loop.tick() }
        // Connections that were accepted before the stop are served.
        let guests = door.guests.count
        #expect((3...10).contains(guests))
        #expect(test.loop.counters.ticks - ticks < 50, "it does not spin")
        #expect(door.pauses == [.full])
        door.places = 11
        test.run { door.guests.count == 10 && door.guests.allSatisfy { !$0.isClosed } }
    }

    /// An owner with room for this many.
    private final class Door: ListenerHandler {
        var places: Int
        private(set) var guests: [Recorder] = []
        private(set) var pauses: [ListenerPause] = []

        init(places: Int) { self.places = places }

        override func accepted(
            _ address: SocketAddress, on listener: Listener
        ) -> StreamHandler? {
            guests.append(Recorder())
            return guests.last
        }

        override var isFull: Bool { guests.count >= places }
        override func paused(_ why: ListenerPause) { pauses.append(why) }
    }

    @Test func `connections that come at the same time are all accepted`() throws {
        let test = try TestLoop()
        var servers: [Recorder] = []
        let listener = try test.listen {
            servers.append(Recorder())
            return servers.last
        }
        let clients = (0..<300).map { _ in Recorder() }
        for client in clients {
            client.onOpened = { $0.finish() }
            _ = test.connect(listener, client)
        }
        test.run { servers.count == 300 && servers.allSatisfy(\.isClosed) }
        #expect(clients.allSatisfy { $0.closes == [.local] })
        #expect(servers.allSatisfy { $0.closes == [.peer] })
        #expect(test.loop.counters.accepted == 300)
    }

    @Test func `a closed listener accepts nothing more, and closing twice is legal`() throws {
        let test = try TestLoop()
        let server = Recorder()
        let listener = try test.listen { server }
        let client = Recorder()
        _ = test.connect(listener, client)
        listener.close()
        listener.close()
        test.run { client.isClosed }
        #expect(server.acceptedCount == 0)
    }
}
