// One listening socket that two processes share, one of them with epoll and one with io_uring, as a
// new relay and an old one do. O_NONBLOCK belongs to the socket, not to one of them.

import CEpoll.System
import Glibc
import Testing

@testable import Reactor

/// A loop that listens on a socket which the test has made, and greets.
private final class Sharer {
    let loop: Loop
    private(set) var servers: [Recorder] = []
    private var listener: Listener?

    init(_ loop: Loop, on descriptor: Int32, at address: SocketAddress) throws {
        self.loop = loop
        listener = try Listener(
            loop: loop, address: address, tls: nil, inherited: descriptor,
            handler: Acceptor { [unowned self] in
                let server = Recorder()
                server.onOpened = { $0.write("220 ready\r\n") }
                servers.append(server)
                return server
            })
    }

    func tick() {
        loop.later {}
        loop.tick()
    }

    func stop() {
        listener?.close()
        listener = nil
        loop.stop()
        loop.run()
    }
}

private let backends: [BackendKind] =
    (try? BackendChoice(.auto, loopCount: 2))?.kind == .uring
    ? [.epoll, .uring] : [.epoll, .epoll]

/// A listening socket outside every loop.
private func listen(isNonBlocking: Bool) throws -> (Int32, SocketAddress) {
    let descriptor = try SocketCalls.listen(
        on: SocketAddress(ipv4: 0x7F00_0001, port: 0), backlog: 64, isShared: false,
        isBlocking: !isNonBlocking, sendBufferBytes: nil)
    return (descriptor, try #require(SocketCalls.localAddress(of: descriptor)))
}

private func hasNonBlocking(_ descriptor: Int32) -> Bool {
    cs_is_nonblocking(descriptor) != 0
}

/// Both loops tick in turn, in either order: a loop that finds the connection gone must not wait.
private func serve(_ count: Int, isNonBlocking: Bool) throws {
    // A loop that waits inside accept4 would wait for ever.
    alarm(30)
    let (descriptor, address) = try listen(isNonBlocking: isNonBlocking)
    let sharers = try backends.map {
        try Sharer(try Loop(index: 0, backend: $0), on: descriptor, at: address)
    }
    for sharer in sharers { sharer.tick() }
    #expect(hasNonBlocking(descriptor) == isNonBlocking)
    var greeted = 0
    for round in 0..<count {
        let socket = try RawSocket(to: address)
        var greeting: [UInt8] = []
        let order = round % 2 == 0 ? sharers : sharers.reversed()
        let end = MonotonicTime.readClock().advanced(byMilliseconds: 5_000)
        while greeting.isEmpty, MonotonicTime.readClock() < end {
            for sharer in order { sharer.tick() }
            greeting = socket.receive() ?? []
        }
        if greeting == Array("220 ready\r\n".utf8) { greeted += 1 }
    }
    #expect(greeted == count)
    let accepted = sharers.map(\.servers.count)
    #expect(accepted.reduce(0, +) == count)
    #expect(hasNonBlocking(descriptor) == isNonBlocking)
    for sharer in sharers { sharer.stop() }
    #expect(hasNonBlocking(descriptor) == isNonBlocking)
    close(descriptor)
    alarm(0)
}

@Suite struct SharedListenerTests {
    @Test func `a shared socket without O_NONBLOCK blocks nobody, and every client is served`()
        async
    {
        await #expect(processExitsWith: .success) { try serve(40, isNonBlocking: false) }
    }

    @Test func `a shared socket with O_NONBLOCK makes nobody spin, and every client is served`()
        async
    {
        await #expect(processExitsWith: .success) { try serve(40, isNonBlocking: true) }
    }

    /// The other process takes the connection between poll and accept.
    @Test func `an accept that comes too late does not wait`() async {
        await #expect(processExitsWith: .success) {
            alarm(30)
            let (descriptor, address) = try listen(isNonBlocking: false)
            var storage = sockaddr_storage()
            #expect(cs_accept_shared(descriptor, &storage) == -EAGAIN)
            // Two threads, and each connection is somebody's: one of the two always comes too late.
            let group = try LoopGroup(count: 2, backend: .epoll) { loop in
                try Sharer(loop, on: descriptor, at: address)
            }
            for _ in 0..<300 {
                let socket = try RawSocket(to: address)
                var greeting: [UInt8] = []
                let end = MonotonicTime.readClock().advanced(byMilliseconds: 5_000)
                while greeting.isEmpty, MonotonicTime.readClock() < end {
                    usleep(50)
                    greeting = socket.receive() ?? []
                }
                #expect(!greeting.isEmpty)
            }
            // A loop that waits in accept4 would not hear this.
            group.stop()
            group.join()
            #expect(!hasNonBlocking(descriptor))
            close(descriptor)
        }
    }

    @Test func `an idle loop on a shared socket does not spin`() throws {
        for isNonBlocking in [false, true] {
            let (descriptor, address) = try listen(isNonBlocking: isNonBlocking)
            let sharers = try backends.map {
                try Sharer(try Loop(index: 0, backend: $0), on: descriptor, at: address)
            }
            for sharer in sharers {
                let timer = LoopTimer(loop: sharer.loop, handler: TimerHandler())
                timer.arm(at: sharer.loop.now.advanced(byMilliseconds: 300))
                let ticks = sharer.loop.counters.ticks
                let end = MonotonicTime.readClock().advanced(byMilliseconds: 250)
                while MonotonicTime.readClock() < end { sharer.loop.tick() }
                #expect(sharer.loop.counters.ticks - ticks < 20)
                timer.cancel()
            }
            for sharer in sharers { sharer.stop() }
            close(descriptor)
        }
    }
}
