import Glibc
import Testing

@testable import Reactor

/// Peers that send faster than we take it: their bytes arrive complete and in order, pauses work,
/// ends are clean, and no other peer waits for long.
@Suite struct FloodTests {
    /// Writes all of a body, as the queue allows.
    private final class Sender: Recorder {
        let body: [UInt8]
        private var offset = 0

        init(_ body: [UInt8]) { self.body = body }

        private func push(_ stream: Stream) {
            while offset < body.count, !stream.isAboveHighWater {
                let end = min(offset + 50_000, body.count)
                stream.write(Array(body[offset..<end]))
                offset = end
            }
        }

        override func streamOpened(_ stream: Stream) {
            super.streamOpened(stream)
            push(stream)
        }

        override func streamDrained(_ stream: Stream) { push(stream) }
    }

    @Test(arguments: [false, true])
    func `pieces of every size around the buffers' sizes arrive complete`(_ isTLS: Bool) throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let server = Echo()
        let listener = try test.listen(tls: isTLS ? pair.server : nil) { server }
        // Sizes around one small buffer, around 64 KiB, and around one receive. Each
        // is sent when the one before has come back, so that each is its own burst.
        let sizes =
            [1, 8_191, 8_192, 8_193, 1, 65_535, 65_536, 65_537, 3]
            + [16_384, 16_385, 524_287, 524_288, 600_000, 131_072, 131_247, 131_248, 131_249]
            + Array(repeating: 10, count: 20)
        let bodies = sizes.enumerated().map { testBytes($1, seed: UInt64($0 + 1)) }
        let client = Recorder()
        var next = 0
        var expected: [UInt8] = []
        client.onOpened = { stream in
            expected = bodies[0]
            stream.write(bodies[0])
        }
        client.onReceived = { stream, _ in
            guard client.received.count == expected.count else { return }
            #expect(client.received == expected, "\(sizes[next]) bytes")
            next += 1
            guard next < bodies.count else { return stream.finish() }
            client.received = []
            expected = bodies[next]
            stream.write(expected)
        }
        _ = test.connect(listener, tls: isTLS ? pair.client : nil, client)
        test.run { client.isClosed && server.isClosed }
        #expect(next == sizes.count)
    }

    @Test(arguments: [false, true])
    func `pauses in a flood work, and nothing is lost or repeated`(_ isTLS: Bool) throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let body = testBytes(24_000_000)
        let client = Sender(body)
        let server = Recorder()
        var heldMost = 0
        var pauses = 0
        server.onReceived = { stream, _ in
            if server.received.count == body.count { return stream.finish() }
            // Every pause is longer than the one before; the first ones are shorter than a tick.
            guard server.received.count / 500_000 > pauses else { return }
            pauses += 1
            stream.pauseReceiving()
            stream.deadline = test.loop.now.advanced(byMilliseconds: pauses / 4)
        }
        server.onTimedOut = { stream in
            heldMost = max(heldMost, stream.receiving.held.byteCount)
            stream.resumeReceiving()
        }
        let listener = try test.listen(tls: isTLS ? pair.server : nil) { server }
        _ = test.connect(listener, tls: isTLS ? pair.client : nil, client)
        test.run { client.isClosed && server.isClosed }
        #expect(server.received == body)
        #expect(pauses > 40)
        #expect(heldMost <= Stream.receiveBytesMax, "a pause must not pull the message into memory")
    }

    @Test(arguments: [0, 100_000, 3_000_000])
    func `a stream that is closed in a flood leaves nothing open`(_ byteCount: Int) throws {
        let test = try TestLoop()
        let listener = try test.listen {
            let server = Recorder()
            server.onReceived = { stream, _ in
                if server.received.count > byteCount { stream.abort() }
            }
            return server
        }
        let clients = (0..<6).map { _ in Sender(testBytes(8_000_000)) }
        for client in clients { _ = test.connect(listener, client) }
        test.run { clients.allSatisfy(\.isClosed) }
    }

    @Test func `a stream that is closed while it waits for more of a flood leaves nothing open`()
        throws
    {
        let test = try TestLoop()
        let server = Recorder()
        let body = testBytes(2_000_000)
        server.onReceived = { stream, _ in
            guard server.received.count == body.count else { return }
            stream.deadline = test.loop.now.advanced(byMilliseconds: 30)
        }
        server.onTimedOut = { $0.abort() }
        let listener = try test.listen { server }
        let client = Sender(body)
        _ = test.connect(listener, client)
        test.run { client.isClosed && server.isClosed }
        #expect(server.received == body && server.closes == [.local])
    }

    @Test func `the end of a flood is reported once, after its last byte`() throws {
        let test = try TestLoop()
        let server = Recorder()
        let body = testBytes(1_000_000)
        let listener = try test.listen { server }
        let client = Recorder()
        client.onOpened = { stream in
            stream.write(body)
            stream.finish()
        }
        _ = test.connect(listener, client)
        test.run { client.isClosed && server.isClosed }
        #expect(server.received == body && server.closes == [.peer])
    }

    @Test func `during floods a small exchange has its turn in every batch`() throws {
        let test = try TestLoop()
        var flooded = 0
        let sink = try test.listen {
            let server = Recorder()
            server.onReceived = { _, bytes in
                flooded += bytes.count
                server.received = []
            }
            return server
        }
        let floods = (0..<8).map { _ in Sender(testBytes(40_000_000)) }
        for flood in floods { _ = test.connect(sink, flood) }
        let echo = Echo()
        let talk = try test.listen { echo }
        let client = Recorder()
        var rounds = 0
        var begin: UInt64 = 0
        var ticksMost: UInt64 = 0
        client.onReceived = { stream, _ in
            ticksMost = max(ticksMost, test.loop.counters.ticks - begin)
            rounds += 1
            begin = test.loop.counters.ticks
            stream.write("ping")
        }
        test.runTicks { flooded > 2_000_000 }
        begin = test.loop.counters.ticks
        client.onOpened = { $0.write("ping") }
        _ = test.connect(talk, client)
        test.runTicks { rounds >= 100 }
        let floodedThen = flooded
        #expect(floodedThen < 8 * 40_000_000, "the floods have ended too soon to show anything")
        #expect(ticksMost <= 12)
        test.run { true }
    }

    @Test func `more peers than receive buffers send at once, again and again`() throws {
        let test = try TestLoop()
        let listener = try test.listen { Echo() }
        let clients = (0..<200).map { _ in Recorder() }
        let rounds = 25
        let line = testBytes(3_000)
        for client in clients {
            client.onReceived = { stream, _ in
                guard client.received.count % line.count == 0 else { return }
                if client.received.count == rounds * line.count { return stream.finish() }
                // All answer in the same tick, so that their bytes are there at the same time.
                test.loop.later { stream.write(line) }
            }
        }
        for client in clients { _ = test.connect(listener, client) }
        test.runTicks { clients.allSatisfy { $0.openedCount == 1 } }
        test.loop.later { for client in clients { client.stream?.write(line) } }
        test.run { clients.allSatisfy(\.isClosed) }
        let all = (0..<rounds).flatMap { _ in line }
        #expect(clients.allSatisfy { $0.received == all })
    }
}
