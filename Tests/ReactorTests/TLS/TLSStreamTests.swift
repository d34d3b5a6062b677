import Glibc
import Testing

@testable import Reactor

@Suite struct TLSStreamTests {
    @Test(arguments: ["localhost", "127.0.0.1"])
    func `a TLS echo comes back, and the certificate fits the name`(_ name: String) throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let server = Echo()
        let listener = try test.listen(tls: pair.server) { server }
        let client = Recorder()
        client.onOpened = { $0.write("hello\r\n") }
        client.onReceived = { stream, _ in stream.finish() }
        let stream = test.connect(listener, tls: pair.client, name: name, client)
        test.run { client.isClosed && server.isClosed }
        #expect(client.text == "hello\r\n")
        #expect(client.closes == [.local] && server.closes == [.peer])
        #expect(client.info?.version == "TLSv1.3")
        #expect(client.info?.cipher == "TLS_AES_128_GCM_SHA256")
        #expect(client.info?.resumed == false)
        #expect(test.loop.counters.handshakesDone == 2)
        #expect(server.acceptedCount == 1 && server.openedCount == 1)
        #expect(stream.tls == nil, "the engine is freed")
    }

    @Test func `a second connection resumes, and so does each that follows`() throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let listener = try test.listen(tls: pair.server) {
            let server = Recorder()
            server.onOpened = { $0.write("220 ready\r\n") }
            return server
        }
        var resumed: [Bool] = []
        var isDone = false
        func next() {
            let client = Recorder()
            client.onReceived = { stream, _ in stream.finish() }
            client.onClosed = { _ in
                resumed.append(client.info?.resumed ?? false)
                if resumed.count < 20 { next() } else { isDone = true }
            }
            _ = test.connect(listener, tls: pair.client, client)
        }
        next()
        test.run { isDone }
        #expect(resumed == [false] + [Bool](repeating: true, count: 19))
        #expect(test.loop.counters.handshakesResumed == 38)
    }

    @Test func `a wrong name is refused with a reason on both sides`() throws {
        let test = try TestLoop()
        let pair = try TrustedPair(names: ["other.example"])
        let server = Recorder()
        let listener = try test.listen(tls: pair.server) { server }
        let client = Recorder()
        _ = test.connect(listener, tls: pair.client, name: "localhost", client)
        test.run { client.isClosed && server.isClosed }
        #expect(client.closes == [.tls("certificate verify failed: hostname mismatch")])
        #expect(client.openedCount == 0)
        guard case .tls(let line) = server.closes.first else {
            Issue.record("\(server.closes)")
            return
        }
        #expect(line.contains("alert"))
    }

    @Test func `an unknown authority is refused with a reason`() throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let stranger = try TLSContext.selfSignedServer(names: ["localhost"])
        let server = Recorder()
        let listener = try test.listen(tls: stranger) { server }
        let client = Recorder()
        _ = test.connect(listener, tls: pair.client, client)
        test.run { client.isClosed && server.isClosed }
        guard case .tls(let line) = client.closes.first else {
            Issue.record("\(client.closes)")
            return
        }
        #expect(line.hasPrefix("certificate verify failed: self-signed certificate"))
        #expect(test.loop.counters.handshakesFailed == 2)
    }

    @Test func `plaintext at a TLS port fails with a useful line`() throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let server = Recorder()
        let listener = try test.listen(tls: pair.server) { server }
        let client = Recorder()
        client.onOpened = { $0.write("EHLO me.example\r\n") }
        _ = test.connect(listener, client)
        test.run { client.isClosed && server.isClosed }
        guard case .tls(let line) = server.closes.first else {
            Issue.record("\(server.closes)")
            return
        }
        #expect(line == "wrong version number")
        #expect(client.closes == [.peer])
    }

    @Test func `a peer that leaves during the handshake is reported as such`() throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let server = Recorder()
        let listener = try test.listen(tls: pair.server) { server }
        let client = Recorder()
        client.onOpened = { $0.finish() }
        _ = test.connect(listener, client)
        test.run { client.isClosed && server.isClosed }
        #expect(
            server.closes == [.tls("peer closed the connection during the handshake")])
    }

    @Test func `the deadline applies during a handshake`() throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let server = Recorder()
        server.onAccepted = { $0.deadline = test.loop.now.advanced(byMilliseconds: 30) }
        server.onTimedOut = { $0.abort() }
        let listener = try test.listen(tls: pair.server) { server }
        let client = Recorder()
        _ = test.connect(listener, client)
        test.run { client.isClosed && server.isClosed }
        #expect(server.timeoutCount == 1 && server.openedCount == 0)
        #expect(server.closes == [.local])
    }

    @Test func `what is written before the handshake leaves after it`() throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let greeting = testBytes(50_000)
        let server = Recorder()
        server.onAccepted = { stream in
            stream.write(greeting)
            stream.writeRecord(greeting)
        }
        let listener = try test.listen(tls: pair.server) { server }
        let client = Recorder()
        client.onReceived = { stream, _ in
            if client.received.count == 100_000 { stream.finish() }
        }
        _ = test.connect(listener, tls: pair.client, client)
        test.run { client.isClosed && server.isClosed }
        #expect(client.received == greeting + greeting)
    }

    @Test func `pausing in a TLS stream keeps the rest, and resuming inside a call works`() throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let body = testBytes(400_000)
        let server = Recorder()
        server.onReceived = { stream, _ in
            stream.pauseReceiving()
            if server.receivedCount % 2 == 0 {
                stream.resumeReceiving()
            } else {
                stream.deadline = test.loop.now.advanced(byMilliseconds: 5)
            }
        }
        server.onTimedOut = { $0.resumeReceiving() }
        let listener = try test.listen(tls: pair.server) { server }
        let client = Recorder()
        client.onOpened = { stream in
            stream.write(body)
            stream.finish()
        }
        _ = test.connect(listener, tls: pair.client, client)
        test.run { client.isClosed && server.isClosed }
        #expect(server.received == body && server.closes == [.peer])
    }

    @Test func `abort during a delivery delivers nothing more`() throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let server = Recorder()
        server.onReceived = { stream, _ in stream.abort() }
        let listener = try test.listen(tls: pair.server) { server }
        let client = Recorder()
        client.onOpened = { $0.write(testBytes(1_000_000)) }
        _ = test.connect(listener, tls: pair.client, client)
        test.run { client.isClosed && server.isClosed }
        #expect(server.receivedCount == 1 && server.closes == [.local])
        #expect(client.closes == [.system(errno: ECONNRESET)])
    }
}
