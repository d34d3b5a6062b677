import Glibc
import Testing

@testable import Reactor

/// The stream does not read from a peer that does not read; a stream that we opened continues to
/// receive.
@Suite struct BackPressureTests {
    /// Answers every byte with the same reply, and never pauses.
    private final class Amplifier: Recorder {
        private let reply: [UInt8]
        /// What was queued when each byte came.
        var queuedBefore: [Int] = []
        var mostQueued = 0
        var hasPeerEnded = false

        init(replyBytes: Int) { reply = testBytes(replyBytes) }

        override func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {
            super.streamReceived(stream, bytes)
            for _ in 0..<bytes.count {
                queuedBefore.append(stream.queuedBytes)
                stream.writeRecord(reply)
            }
            mostQueued = max(mostQueued, stream.queuedBytes)
        }

        override func streamPeerEnded(_ stream: Stream) -> Bool {
            hasPeerEnded = true
            return false
        }
    }

    /// A server that answers with more than it gets, and a client that does not read at first.
    private final class Talk {
        let test: TestLoop
        let server: Amplifier
        let client = Recorder()

        init(isTLS: Bool, replyBytes: Int = 40_000, backend: (any Backend)? = nil) throws {
            test = try TestLoop(limitMilliseconds: 3_600_000, backend: backend)
            server = Amplifier(replyBytes: replyBytes)
            let pair = try TrustedPair()
            let server = self.server
            // The marks of a peer that is known; StrangerTests has the others.
            server.onOpened = { $0.raiseBounds() }
            let listener = try test.listen(tls: isTLS ? pair.server : nil) { server }
            client.onOpened = { $0.pauseReceiving() }
            _ = test.connect(listener, tls: isTLS ? pair.client : nil, client)
            test.runTicks { [client] in client.openedCount == 1 && server.openedCount == 1 }
        }

        /// Calls on the client's stream, inside a tick.
        func act(_ body: @escaping (Stream) -> Void) {
            test.loop.later { [client] in client.stream.map(body) }
        }

        /// Asks until the server is held back: sockets take some megabytes before the queue grows.
        /// - Returns: how often.
        func fill() -> Int {
            var asked = 0
            while server.stream?.isHeldBack == false, asked < 2_000 {
                act { $0.write([0x2E]) }
                asked += 1
                test.runTicks { server.received.count == asked }
                // The sockets may still take everything.
                if server.stream?.isHeldBack == true { rest(milliseconds: 20) }
            }
            #expect(server.stream?.isHeldBack == true)
            return asked
        }

        /// Asks once more, and waits long enough for the server to read it.
        func askInVain() {
            act { $0.write([0x2E]) }
            rest(milliseconds: 20)
        }

        func rest(milliseconds: Int) {
            let timeouts = client.timeoutCount
            let until = test.loop.now.advanced(byMilliseconds: milliseconds)
            act { $0.deadline = until }
            test.runTicks { client.timeoutCount > timeouts }
        }

        /// Lets the client read everything, and both sides end.
        func finish(receiving byteCount: Int) {
            if client.received.count == byteCount { act { $0.finish() } }
            client.onReceived = { [client] stream, _ in
                if client.received.count == byteCount { stream.finish() }
            }
            act { $0.resumeReceiving() }
            test.run { client.isClosed && server.isClosed }
            #expect(client.received.count == byteCount)
        }
    }

    @Test(arguments: [false, true])
    func `an owner that never pauses does not collect answers for a peer that does not read`(
        _ isTLS: Bool
    ) throws {
        let talk = try Talk(isTLS: isTLS, replyBytes: 1_000_000)
        let asked = talk.fill()
        #expect(talk.server.stream?.isReceivingPaused == false)
        for _ in 0..<5 { talk.askInVain() }
        #expect(talk.server.received.count == asked, "it receives although its queue is too long")
        #expect(talk.server.mostQueued <= Stream.highWater + 1_010_000)
        talk.finish(receiving: (asked + 5) * 1_000_000)
        #expect(talk.server.received.count == asked + 5, "the bytes of that time are delivered")
    }

    @Test(arguments: [false, true])
    func `receiving continues below the low mark`(_ isTLS: Bool) throws {
        let talk = try Talk(isTLS: isTLS)
        let asked = talk.fill()
        talk.askInVain()
        talk.finish(receiving: (asked + 1) * 40_000)
        #expect(talk.server.drainedCount >= 1)
        let queuedBefore = talk.server.queuedBefore
        #expect(queuedBefore.count == asked + 1 && queuedBefore[asked] < Stream.lowWater)
    }

    @Test(arguments: [false, true])
    func `an owner can be stricter: it stays paused when the queue has drained`(_ isTLS: Bool)
        throws
    {
        let talk = try Talk(isTLS: isTLS)
        let server = talk.server
        let asked = talk.fill()
        talk.test.loop.later { server.stream?.pauseReceiving() }
        talk.askInVain()
        talk.act { $0.resumeReceiving() }
        talk.test.runTicks { server.drainedCount == 1 }
        talk.askInVain()
        #expect(server.stream?.isHeldBack == false && server.stream?.isReceivingPaused == true)
        #expect(server.received.count == asked)
        talk.test.loop.later { server.stream?.resumeReceiving() }
        talk.finish(receiving: (asked + 2) * 40_000)
    }

    /// The questions come in few reads, so most of them are held as ciphertext in that time.
    @Test func `held ciphertext is delivered without a call of the owner`() throws {
        let talk = try Talk(isTLS: true, replyBytes: 1_000)
        talk.act { stream in
            for _ in 0..<60 { stream.writeRecord(Array(repeating: 0x2E, count: 1_000)) }
        }
        talk.finish(receiving: 60 * 1_000 * 1_000)
        #expect(talk.server.received.count == 60_000)
        #expect(talk.server.drainedCount > 0)
    }

    @Test(arguments: [false, true])
    func `a stream that we opened receives an early answer while its upload is queued`(
        _ isTLS: Bool
    ) throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let server = Recorder()
        server.onReceived = { stream, _ in
            guard server.receivedCount == 1 else { return }
            stream.write("413 too large")
            stream.pauseReceiving()
        }
        let listener = try test.listen(tls: isTLS ? pair.server : nil) { server }
        let client = Recorder()
        var queued = 0
        client.onOpened = { $0.writeRecord(testBytes(16_000_000)) }
        client.onReceived = { stream, _ in
            queued = stream.queuedBytes
            #expect(!stream.isHeldBack)
            stream.abort()
            test.loop.later { server.stream?.abort() }
        }
        let stream = test.connect(listener, tls: isTLS ? pair.client : nil, client)
        #expect(stream.role == .opened)
        test.run { client.isClosed && server.isClosed }
        #expect(client.text == "413 too large")
        #expect(queued > Stream.highWater, "the upload has left too soon to show anything")
    }

    @Test func `the end of a peer that was not read is reported after its bytes`() throws {
        let talk = try Talk(isTLS: false, replyBytes: 16_000_000)
        let asked = talk.fill()
        talk.askInVain()
        talk.act { $0.loop.backend.shutDown($0.token) }
        talk.rest(milliseconds: 20)
        #expect(talk.server.received.count == asked && !talk.server.hasPeerEnded)
        talk.act { $0.resumeReceiving() }
        talk.test.run { talk.client.isClosed && talk.server.isClosed }
        #expect(talk.server.received.count == asked + 1 && talk.server.hasPeerEnded)
        #expect(talk.client.received.count == (asked + 1) * 16_000_000)
        #expect(talk.server.closes == [.peer])
    }

    @Test(arguments: [false, true])
    func `a stream that is held back ends when its peer leaves`(_ isTLS: Bool) throws {
        let talk = try Talk(isTLS: isTLS)
        _ = talk.fill()
        talk.act { $0.abort() }
        talk.test.run { talk.client.isClosed && talk.server.isClosed }
        #expect(talk.server.closes.count == 1 && talk.server.closes != [.local])
    }

    /// The time counts from when the queue went above its mark, as with a pause by the owner.
    @Test func `bytes that wait while a stream is held back have waited since then`() throws {
        let talk = try Talk(isTLS: false, backend: CompletionBackend(waitMilliseconds: 10))
        let asked = talk.fill()
        let since = talk.test.loop.now
        talk.askInVain()
        talk.rest(milliseconds: 2_000)
        var arrivedAt = MonotonicTime.never
        talk.server.onReceived = { stream, _ in arrivedAt = stream.arrivedAt }
        talk.finish(receiving: (asked + 1) * 40_000)
        #expect(arrivedAt <= since)
    }
}
