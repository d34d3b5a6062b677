import Glibc
import Testing

@testable import Reactor

@Suite struct StreamTests {
    @Test func `a plaintext echo comes back, and both ends see one orderly close`() throws {
        let test = try TestLoop()
        let server = Echo()
        let listener = try test.listen { server }
        let client = Recorder()
        client.onOpened = { $0.write("hello\r\n") }
        client.onReceived = { stream, _ in stream.finish() }
        let stream = test.connect(listener, client)
        test.run { client.isClosed && server.isClosed }
        #expect(client.text == "hello\r\n")
        #expect(client.closes == [.local] && server.closes == [.peer])
        #expect(client.openedCount == 1 && server.openedCount == 1)
        #expect(server.acceptedCount == 1 && client.acceptedCount == 0)
        #expect(stream.peerAddress == listener.address)
        #expect(stream.handler !== client, "the cycle is broken")
    }

    @Test func `writes of one event leave in one piece`() throws {
        let test = try TestLoop()
        let server = Recorder()
        let listener = try test.listen { server }
        let client = Recorder()
        client.onOpened = { stream in
            stream.write("one ")
            stream.write("two ")
            stream.writeRecord(Array("three".utf8))
            #expect(stream.queuedBytes == 13)
        }
        _ = test.connect(listener, client)
        test.run { server.received.count == 13 }
        #expect(server.receivedCount == 1)
    }

    @Test func `a refused connection is reported, but not during the call`() throws {
        let test = try TestLoop()
        let listener = try test.listen { nil }
        let address = listener.address
        listener.close()
        let client = Recorder()
        let stream = Stream.connect(
            loop: test.loop, to: address, tls: nil, serverName: "", handler: client)
        #expect(client.closes.isEmpty && !stream.isClosed)
        test.run { client.isClosed }
        #expect(client.closes == [.system(errno: ECONNREFUSED)])
    }

    @Test func `a handler can still write after the peer's end`() throws {
        let test = try TestLoop()
        let server = Patient()
        let listener = try test.listen { server }
        let client = Recorder()
        client.onOpened = { $0.write("question") }
        let stream = test.connect(listener, client)
        test.runTicks { server.text == "question" }
        test.loop.backend.shutDown(stream.token)
        test.runTicks { server.hasPeerEnded }
        #expect(server.closes.isEmpty)
        test.loop.later {
            server.stream?.write("answer")
            server.stream?.finish()
        }
        test.run { client.isClosed && server.isClosed }
        #expect(client.text == "answer")
        #expect(server.closes == [.local])
    }

    @Test func `a listener without a handler closes at once`() throws {
        let test = try TestLoop()
        let listener = try test.listen { nil }
        let client = Recorder()
        _ = test.connect(listener, client)
        test.run { client.isClosed }
        #expect(client.closes == [.peer])
    }

    @Test func `abort resets, and queued bytes are discarded`() throws {
        let test = try TestLoop()
        let server = Recorder()
        let listener = try test.listen { server }
        let client = Recorder()
        server.onReceived = { stream, _ in
            stream.write("never seen")
            stream.abort()
            stream.abort()
            stream.finish()
        }
        client.onOpened = { $0.write("x") }
        _ = test.connect(listener, client)
        test.run { client.isClosed && server.isClosed }
        #expect(server.closes == [.local])
        #expect(client.closes == [.system(errno: ECONNRESET)] && client.received.isEmpty)
    }

    @Test func `finish delivers the last reply while the peer is still sending`() throws {
        let test = try TestLoop()
        let server = Recorder()
        let listener = try test.listen { server }
        server.onReceived = { stream, _ in
            stream.write("554 enough\r\n")
            stream.finish()
            stream.write("not any more")
        }
        let client = Recorder()
        client.onOpened = { $0.write(testBytes(200_000)) }
        client.onReceived = { stream, _ in
            stream.write(testBytes(100_000))
        }
        _ = test.connect(listener, client)
        test.run { client.isClosed && server.isClosed }
        #expect(client.text == "554 enough\r\n")
        #expect(server.closes == [.local] && client.closes == [.peer])
    }

    @Test func `a peer that never ends is closed after the lingering time`() throws {
        let test = try TestLoop()
        let server = Recorder()
        let listener = try test.listen { server }
        server.onOpened = { $0.finish() }
        let client = Recorder()
        client.onOpened = { $0.pauseReceiving() }
        _ = test.connect(listener, client)
        let begin = MonotonicTime.readClock()
        test.run { server.isClosed }
        let waited = MonotonicTime.readClock().milliseconds(since: begin)
        #expect(waited >= Stream.lingerMilliseconds && waited < 20_000)
        #expect(server.closes == [.local])
    }

    @Test func `a peer that takes what is queued too slowly does not keep its stream for ever`()
        throws
    {
        // On a clock of its own, so that a busy machine is no slow peer.
        let test = try TestLoop(
            limitMilliseconds: 3_600_000, backend: CompletionBackend(waitMilliseconds: 10))
        let server = Recorder()
        let listener = try test.listen { server }
        let count = 64 * 1_048_576
        var endedAt = MonotonicTime.never
        server.onOpened = { stream in
            stream.write([UInt8](repeating: 0x2E, count: count))
            stream.finish()
            endedAt = test.loop.now
        }
        var closedAt = MonotonicTime.never
        server.onClosed = { _ in closedAt = test.loop.now }
        let client = Recorder()
        let pause = SlowReading(test.loop)
        client.onReceived = { stream, _ in pause.rest(stream) }
        _ = test.connect(listener, client)
        test.run { client.isClosed && server.isClosed }
        #expect(server.closes == [.local])
        #expect(client.received.count < count)
        let lingered = closedAt.milliseconds(since: endedAt)
        #expect(lingered > 2 * Stream.lingerMilliseconds, "there was progress")
        #expect(lingered < Stream.lingerMillisecondsMax + 5_000)
        pause.end()
    }

    @Test func `a peer that has ended its side still gets what is queued`() throws {
        let test = try TestLoop()
        let server = Recorder()
        let reply = testBytes(3_000_000)
        let listener = try test.listen { server }
        server.onReceived = { stream, _ in stream.write(reply) }
        // A plain socket of the test, because a stream that finishes does not receive any more.
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Glibc.close(socket) }
        let status = listener.address.withSockaddr { Glibc.connect(socket, $0, $1) }
        #expect(status == 0)
        #expect(Glibc.send(socket, "x", 1, 0) == 1)
        shutdown(socket, Int32(SHUT_WR))
        var got: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        var hasEnded = false
        test.run {
            var count = 1
            while count > 0 {
                count = recv(socket, &chunk, chunk.count, Int32(MSG_DONTWAIT))
                if count > 0 { got += chunk.prefix(count) }
                if count == 0 { hasEnded = true }
            }
            return hasEnded && server.isClosed
        }
        #expect(got == reply && server.closes == [.peer])
    }

    @Test func `the deadline fires once, and moving it later costs nothing`() throws {
        let test = try TestLoop()
        let server = Recorder()
        let listener = try test.listen { server }
        var firedAt = MonotonicTime.never
        server.onAccepted = { stream in
            stream.deadline = test.loop.now.advanced(byMilliseconds: 20)
            stream.deadline = test.loop.now.advanced(byMilliseconds: 60)
        }
        server.onTimedOut = { stream in
            firedAt = test.loop.now
            stream.abort()
        }
        let client = Recorder()
        _ = test.connect(listener, client)
        let begin = test.loop.now
        test.run { server.isClosed && client.isClosed }
        #expect(server.timeoutCount == 1)
        #expect(firedAt.milliseconds(since: begin) >= 60)
    }

    @Test func `a paused stream delivers nothing until it is resumed`() throws {
        let test = try TestLoop()
        let server = Recorder()
        let listener = try test.listen { server }
        let client = Recorder()
        var hasResumed = false
        server.onReceived = { stream, bytes in
            if bytes == Array("first".utf8) {
                stream.pauseReceiving()
                stream.resumeReceiving()
                stream.pauseReceiving()
                stream.deadline = test.loop.now.advanced(byMilliseconds: 50)
                client.stream?.write("second")
                client.stream?.finish()
            }
        }
        server.onTimedOut = { stream in
            #expect(server.text == "first")
            hasResumed = true
            stream.resumeReceiving()
        }
        client.onOpened = { $0.write("first") }
        _ = test.connect(listener, client)
        test.run { server.isClosed && client.isClosed }
        #expect(hasResumed && server.text == "firstsecond" && server.closes == [.peer])
    }
}

/// Reads again only after a tenth of a second.
private final class SlowReading: TimerHandler {
    var stream: Stream?
    private var timer: LoopTimer?

    init(_ loop: Loop) {
        super.init()
        timer = LoopTimer(loop: loop, handler: self)
    }

    func rest(_ stream: Stream) {
        self.stream = stream
        stream.pauseReceiving()
        timer?.arm(at: stream.loop.now.advanced(byMilliseconds: 100))
    }

    /// Releases the stream and the timer, which also hold this object.
    func end() {
        stream = nil
        timer?.cancel()
        timer = nil
    }

    override func timerFired(_ timer: LoopTimer) { stream?.resumeReceiving() }
}

/// Stays open after the peer's end.
private final class Patient: Recorder {
    var hasPeerEnded = false

    override func streamPeerEnded(_ stream: Stream) -> Bool {
        hasPeerEnded = true
        return true
    }
}
