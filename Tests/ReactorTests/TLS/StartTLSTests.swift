import Glibc
import Testing

@testable import Reactor

/// A TLS client without a socket: it passes a plaintext stream's bytes through its own engine, so
/// that a test can cut, mix and delay them.
final class EngineClient {
    let engine: TLSEngine
    let output: OutputQueue
    private let pool = SlabPool()
    private(set) var isOpen = false
    private(set) var plaintext: [UInt8] = []

    init(_ context: TLSContext, name: String = "localhost") throws {
        output = OutputQueue(pool: pool)
        engine = try #require(context.makeEngine(port: TLSPort(), serverName: name))
    }

    /// Feeds bytes from the server; returns what the engine answers.
    func feed(_ bytes: [UInt8]) -> [UInt8] {
        bytes.withUnsafeBytes { raw in
            var used = 0
            if !isOpen {
                let (count, outcome) = engine.handshake(
                    raw, into: output, at: .readClock())
                used = count
                if outcome == .finished { isOpen = true }
            }
            if isOpen {
                let step = engine.decrypt(
                    UnsafeRawBufferPointer(rebasing: raw[used...]), replies: output)
                plaintext += step.plaintext
            }
        }
        return takeOutput()
    }

    func encrypt(_ bytes: [UInt8]) -> [UInt8] {
        bytes.withUnsafeBytes { #expect(engine.encrypt($0, into: output)) }
        return takeOutput()
    }

    private func takeOutput() -> [UInt8] {
        var bytes: [UInt8] = []
        while let slab = output.first {
            bytes += UnsafeBufferPointer(start: slab.payload + slab.start, count: slab.count)
            output.consume(slab.count)
        }
        return bytes
    }
}

@Suite struct StartTLSTests {
    @Test func `STARTTLS answers in plaintext and then speaks TLS`() throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let server = Recorder()
        server.onOpened = { stream in
            if server.openedCount == 1 { stream.write("220 ready\r\n") }
        }
        server.onReceived = { stream, bytes in
            if stream.tls == nil {
                stream.write("220 go ahead\r\n")
                stream.startTLS(pair.server)
            } else {
                stream.write(bytes)
                stream.finish()
            }
        }
        let listener = try test.listen { server }
        let peer = try EngineClient(pair.client)
        let client = Recorder()
        var plain: [UInt8] = []
        client.onReceived = { stream, bytes in
            if plain.count < 25 {
                plain += bytes
                if plain.count == 11 { stream.write("STARTTLS\r\n") }
                if plain.count == 25 { stream.write(peer.feed([])) }
                return
            }
            let wasOpen = peer.isOpen
            stream.write(peer.feed(bytes))
            if peer.isOpen, !wasOpen { stream.write(peer.encrypt(Array("secret".utf8))) }
        }
        _ = test.connect(listener, client)
        test.run { client.isClosed && server.isClosed }
        #expect(String(decoding: plain, as: UTF8.self) == "220 ready\r\n220 go ahead\r\n")
        #expect(peer.plaintext == Array("secret".utf8))
        #expect(server.openedCount == 2 && server.info?.version == "TLSv1.3")
        #expect(server.closes == [.local])
    }

    @Test func `bytes after STARTTLS come in the same call, and never reach the engine`() throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let server = Recorder()
        server.onReceived = { stream, bytes in
            #expect(String(decoding: bytes, as: UTF8.self) == "STARTTLS\r\nMAIL FROM:<>\r\n")
            stream.write("220 go ahead\r\n")
            stream.startTLS(pair.server)
        }
        let listener = try test.listen { server }
        let peer = try EngineClient(pair.client)
        let client = Recorder()
        client.onOpened = { $0.write("STARTTLS\r\nMAIL FROM:<>\r\n") }
        client.onReceived = { stream, bytes in
            if client.receivedCount == 1 {
                stream.write(peer.feed([]))
            } else {
                stream.write(peer.feed(bytes))
                if peer.isOpen { stream.finish() }
            }
        }
        _ = test.connect(listener, client)
        test.run { client.isClosed && server.isClosed }
        #expect(peer.isOpen && server.openedCount == 2 && server.receivedCount == 1)
    }

    @Test func `a handshake and its first data may come byte by byte`() throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let server = Recorder()
        server.onReceived = { stream, bytes in
            if server.received.count == 1_000 { stream.finish() }
        }
        let listener = try test.listen(tls: pair.server) { server }
        let peer = try EngineClient(pair.client)
        let client = Recorder()
        let body = testBytes(1_000)
        var queue: [UInt8] = []
        var isBodyQueued = false
        client.onOpened = { stream in
            queue += peer.feed([])
            stream.deadline = test.loop.now
        }
        client.onReceived = { _, bytes in
            for byte in bytes { queue += peer.feed([byte]) }
            if peer.isOpen, !isBodyQueued {
                isBodyQueued = true
                queue += peer.encrypt(body)
            }
        }
        var sent = 0
        func dribble() {
            if sent < queue.count, let stream = client.stream {
                stream.write([queue[sent]])
                sent += 1
            }
            if !server.isClosed { test.loop.later(dribble) }
        }
        dribble()
        _ = test.connect(listener, client)
        test.run { client.isClosed && server.isClosed }
        #expect(server.received == body && server.openedCount == 1)
    }
}
