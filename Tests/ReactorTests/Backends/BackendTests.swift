import Glibc
import Testing

@testable import Reactor

@Suite struct BackendTests {
    @Test(arguments: [false, true])
    func `streams work over a backend that completes later`(_ isTLS: Bool) throws {
        let backend = try CompletionBackend()
        let test = try TestLoop(backend: backend)
        let pair = try TrustedPair()
        let body = testBytes(2_000_000)
        let server = Echo()
        let listener = try test.listen(tls: isTLS ? pair.server : nil) { server }
        let client = Recorder()
        client.onOpened = { $0.write(body) }
        client.onReceived = { stream, _ in
            if client.received.count == body.count { return stream.finish() }
            stream.pauseReceiving()
            test.loop.later { client.stream?.resumeReceiving() }
        }
        _ = test.connect(listener, tls: isTLS ? pair.client : nil, client)
        test.run { client.isClosed && server.isClosed }
        #expect(client.received == body)
        #expect(client.closes == [.local] && server.closes == [.peer])
        #expect(backend.spoiledCount == 0)
    }

    @Test func `the memory of a send does not change until the backend releases it`() throws {
        let backend = try CompletionBackend()
        let test = try TestLoop(backend: backend)
        let server = Recorder()
        server.onOpened = { stream in
            stream.write(testBytes(100_000))
            test.loop.later { stream.abort() }
        }
        let listener = try test.listen { server }
        let client = Recorder()
        _ = test.connect(listener, client)
        test.run { client.isClosed && server.isClosed && backend.releasedCount == 1 }
        #expect(server.closes == [.local])
        #expect(backend.spoiledCount == 0)
    }

    @Test func `a token carries its slot and generation, and leaves eight bits free`() {
        let token = Token(slot: 0xFFFF_FFFF, generation: 0xFF_FFFF)
        #expect(token.bits == 0x00FF_FFFF_FFFF_FFFF)
        #expect(token.slot == 0xFFFF_FFFF && token.generation == 0xFF_FFFF)
        #expect(Token(slot: 7, generation: 9).bits == 9 << 32 | 7)
    }
}
