// What a stranger may cost before it has logged in, as memory and as bytes in hand. Heap is measured
// in a process of its own, and its clients are plain sockets, without memory of this heap.

import CEpoll.System
import CEpoll.TLS
import Glibc
import Testing

@testable import Reactor

/// Answers each EHLO with some 200 bytes, as a session does: it stops when the stream is held back,
/// and keeps what it has not used.
private final class Greeter: StreamHandler {
    private static let command = Array("EHLO a\r\n".utf8)
    private static let reply = [UInt8](repeating: 0x2D, count: 198) + [13, 10]
    private var kept: [UInt8] = []
    private(set) var answered = 0
    private(set) var isOpen = false
    private(set) var mostReceived = 0

    override func streamOpened(_ stream: Stream) { isOpen = true }

    override func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {
        mostReceived = max(mostReceived, bytes.count)
        bytes.withUnsafeBufferPointer { kept.append(contentsOf: $0) }
        answer(stream)
    }

    override func streamDrained(_ stream: Stream) { answer(stream) }

    private func answer(_ stream: Stream) {
        var used = 0
        while used + Self.command.count <= kept.count, !stream.isHeldBack {
            stream.write(Self.reply)
            used += Self.command.count
            answered += 1
        }
        kept = Array(kept[used...])
    }
}

/// Strangers over plain sockets; nil for no TLS, or the version of their OpenSSL.
private func heapOfStrangers(_ version: Int32?, count: Int = 24) throws -> Int {
    let test = try TestLoop()
    var greeters: [Greeter] = []
    greeters.reserveCapacity(count)
    let tls = try version == nil ? nil : TrustedPair().server
    let listener = try Listener(
        loop: test.loop, address: SocketAddress(ipv4: 0x7F00_0001, port: 0), tls: tls,
        sendBufferBytes: 32_768,
        handler: Acceptor {
            greeters.append(Greeter())
            return greeters.last
        })
    var sockets: [RawSocket] = []
    sockets.reserveCapacity(count)
    let flood = [[UInt8]](repeating: Array("EHLO a\r\n".utf8), count: 400).flatMap { $0 }

    /// One more stranger, who asks until its requests are not taken any more.
    func invite() throws {
        let socket = try RawSocket(to: listener.address)
        sockets.append(socket)
        let client = try version.map { try OpenSSLClient(version: $0) }
        if let client {
            var isDone = client.shakeHands([])
            _ = socket.send(client.take())
            test.poll {
                if !isDone, let bytes = socket.receive(), !bytes.isEmpty {
                    isDone = client.shakeHands(bytes)
                    _ = socket.send(client.take())
                }
                return isDone && greeters.last?.isOpen == true
            }
        } else {
            test.runTicks { greeters.last?.isOpen == true }
        }
        var isTaken = true
        var rounds = 0
        var answered = -1
        while (isTaken || greeters.last?.answered != answered) && rounds < 4_000 {
            answered = greeters.last?.answered ?? 0
            rounds += 1
            var bytes = flood
            if let client {
                client.write(flood)
                bytes = client.take()
            }
            if isTaken { isTaken = socket.send(bytes) == bytes.count }
            for _ in 0..<4 {
                test.loop.later {}
                test.loop.tick()
            }
        }
        #expect(!isTaken, "the server reads on although nobody reads its replies")
        #expect(greeters.last?.mostReceived ?? 0 <= 4_096 + 256)
    }

    // The first ones bring what the loop keeps for all: buffers, tables, free slabs.
    for _ in 0..<4 { try invite() }
    let before = Heap.bytesInUse()
    for _ in 0..<count - 4 { try invite() }
    let each = (Heap.bytesInUse() - before) / (count - 4)
    sockets = []
    test.loop.stop()
    test.loop.run()
    return each
}

@Suite struct StrangerTests {
    @Test(.enabled(if: Heap.isMeasured))
    func `a stranger that asks without end and reads nothing costs at most 32 kB of heap`() async {
        await #expect(processExitsWith: .success) {
            // Two kilobytes of the 32 are the session's own.
            for version in [nil, TLS1_2_VERSION, TLS1_3_VERSION] as [Int32?] {
                let bytes = try heapOfStrangers(version)
                let name = version.map { String($0, radix: 16) } ?? "plain"
                #expect(bytes < 30_000, "\(name): \(bytes) bytes")
                #expect(bytes > 1_000, "it is not measured")
            }
        }
    }

    @Test(arguments: [false, true])
    func `a stranger's receives are small, and large when the owner has raised its bounds`(
        _ isTLS: Bool
    ) throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let server = Recorder()
        var mostBefore = 0
        var mostAfter = 0
        var count = 0
        let body = testBytes(400_000)
        server.onReceived = { stream, bytes in
            count += bytes.count
            if stream.bounds == .stranger {
                mostBefore = max(mostBefore, bytes.count)
                if count > 100_000 { stream.raiseBounds() }
            } else {
                mostAfter = max(mostAfter, bytes.count)
            }
            if count == body.count { stream.finish() }
        }
        let listener = try test.listen(tls: isTLS ? pair.server : nil) { server }
        let client = Recorder()
        client.onOpened = { $0.write(body) }
        let stream = test.connect(listener, tls: isTLS ? pair.client : nil, client)
        #expect(stream.bounds == .known)
        test.run { client.isClosed && server.isClosed }
        #expect(server.received == body)
        // A record of 16 KiB comes whole, whatever receives it was put together from.
        #expect(mostBefore <= (isTLS ? Stream.recordBytesMax : 4_096))
        #expect(mostAfter > Stream.recordBytesMax)
    }

    @Test func `held ciphertext of a stranger is at most one small receive`() throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let server = Recorder()
        server.onReceived = { stream, _ in stream.pauseReceiving() }
        let listener = try test.listen(tls: pair.server) { server }
        let client = Recorder()
        client.onOpened = { stream in
            for _ in 0..<2_000 { stream.writeRecord([0x2E, 0x0A]) }
        }
        _ = test.connect(listener, tls: pair.client, client)
        test.runTicks { server.receivedCount == 1 }
        let held = server.stream?.receiving.held.byteCount ?? 0
        #expect(held <= 4_096)
        test.loop.later { server.stream?.abort() }
        test.run { client.isClosed && server.isClosed }
    }

    @Test(arguments: [false, true])
    func `the kernel's send buffer of accepted connections is the listener's`(
        _ isInherited: Bool
    ) throws {
        let test = try TestLoop()
        let server = Recorder()
        let outside = try SocketCalls.listen(
            on: SocketAddress(ipv4: 0x7F00_0001, port: 0), backlog: 8, isShared: true,
            isBlocking: false, sendBufferBytes: nil)
        let before = Self.option(SO_SNDBUF, of: outside)
        let listener = try Listener(
            loop: test.loop,
            address: SocketAddress(ipv4: 0x7F00_0001, port: 0), tls: nil,
            inherited: isInherited ? outside : nil, sendBufferBytes: 32_768,
            handler: Acceptor { server })
        let client = try RawSocket(to: listener.address)
        test.runTicks { server.openedCount == 1 }
        let accepted = Self.sockets(at: listener.address.port).filter { Self.hasPeer($0) }
        #expect(accepted.contains { Self.option(SO_SNDBUF, of: $0) == 65_536 })
        #expect(accepted.contains { Self.option(SO_KEEPALIVE, of: $0) == 1 })
        if isInherited {
            let listening = Self.sockets(at: listener.address.port).filter { !Self.hasPeer($0) }
            #expect(!listening.isEmpty)
            for descriptor in listening {
                #expect(Self.option(SO_SNDBUF, of: descriptor) == before)
            }
        }
        test.loop.later { server.stream?.abort() }
        withExtendedLifetime(client) { test.run { server.isClosed } }
        close(outside)
    }

    /// Descriptors of this process that are bound to a port.
    private static func sockets(at port: UInt16) -> [Int32] {
        (3..<Int32(1_024)).filter { descriptor in
            var storage = sockaddr_storage()
            guard cs_local_address(descriptor, &storage) == 0 else { return false }
            return SocketAddress(storage)?.port == port
        }
    }

    private static func hasPeer(_ descriptor: Int32) -> Bool {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getpeername(descriptor, $0, &size) == 0
            }
        }
    }

    private static func option(_ name: Int32, of descriptor: Int32) -> Int32 {
        var value: Int32 = -1
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, name, &value, &size)
        return value
    }

    /// Plaintext that fits below the high mark is above it as records, and the owner sees that.
    @Test func `a queue that only sealing has lifted above its mark wakes its owner`() throws {
        let backend = try CompletionBackend()
        let test = try TestLoop(backend: backend)
        let pair = try TrustedPair()
        let server = Recorder()
        let listener = try test.listen(tls: pair.server) { server }
        let client = Recorder()
        // Fifteen records are sealed while it is written, and 22 bytes longer each; the last waits.
        let count = Stream.highWater - 15 * 22
        var wasAbove: Bool?
        _ = test.connect(listener, tls: pair.client, client)
        test.runTicks { server.openedCount == 1 && client.stream?.queuedBytes == 0 }
        test.loop.later {
            guard let stream = client.stream else { return }
            stream.write(testBytes(count))
            #expect(!stream.isAboveHighWater && stream.queuedBytes == Stream.highWater)
        }
        test.loop.later { wasAbove = client.stream?.isAboveHighWater }
        test.runTicks { server.received.count == count }
        #expect(wasAbove == true)
        test.runTicks { client.stream?.queuedBytes == 0 }
        #expect(client.drainedCount == 1)
        test.loop.later { client.stream?.finish() }
        test.run { client.isClosed && server.isClosed }
    }
}
