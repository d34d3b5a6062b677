import CEpoll.TLS
import Glibc
import Testing

@testable import Reactor

/// A handshake costs OpenSSL's memory only when its ClientHello is whole, and never more than 16 KiB
/// of input.
@Suite struct ClientHelloGateTests {
    /// A ClientHello whose message has `count` bytes, in records of `piece`.
    private static func hello(_ count: Int, inRecordsOf piece: Int = 16_384) -> [UInt8] {
        let length = count - 4
        let message =
            [1, UInt8(length >> 16), UInt8(length >> 8 & 0xFF), UInt8(length & 0xFF)]
            + [UInt8](repeating: 7, count: length)
        return stride(from: 0, to: count, by: piece).flatMap { start in
            let content = message[start..<min(start + piece, count)]
            return [22, 3, 1, UInt8(content.count >> 8), UInt8(content.count & 0xFF)] + content
        }
    }

    private static func verdicts(_ pieces: [[UInt8]]) -> [ClientHelloGate.Verdict] {
        var gate = ClientHelloGate()
        var verdicts: [ClientHelloGate.Verdict] = []
        for piece in pieces where verdicts.last ?? .incomplete == .incomplete {
            verdicts.append(piece.withUnsafeBytes { gate.take($0) })
        }
        return verdicts
    }

    @Test(arguments: [4, 5, 300, 517, 2_000], [1, 3, 100, 16_384])
    func `it is whole with its last byte, however it is cut`(_ count: Int, _ piece: Int) {
        let bytes = Self.hello(count, inRecordsOf: piece)
        guard bytes.count < ClientHelloGate.inputBytesMax else { return }
        #expect(Self.verdicts([bytes]) == [.whole])
        let single = Self.verdicts(bytes.map { [$0] })
        #expect(single.count == bytes.count && single.last == .whole)
        #expect(single.dropLast().allSatisfy { $0 == .incomplete })
        for cut in stride(from: 1, to: bytes.count, by: 7) {
            let both = Self.verdicts([Array(bytes[..<cut]), Array(bytes[cut...])])
            #expect(both == [.incomplete, .whole], "cut at \(cut)")
        }
        #expect(Self.verdicts([bytes + [1, 2, 3]]) == [.whole])
    }

    @Test(
        arguments: [
            Array("EHLO a\r\n".utf8), Array("GET / HTTP/1.1\r\n".utf8), [0x80, 0x2E, 1, 3, 1],
            [21, 3, 3, 0, 2, 1, 0], [22, 2, 0], [22, 3, 1, 0, 0], [22, 3, 1, 0x40, 1],
            [22, 3, 1, 0, 4, 2, 0, 0, 0],
        ] as [[UInt8]])
    func `what is no ClientHello goes to OpenSSL at once, which says why`(_ bytes: [UInt8]) {
        #expect(Self.verdicts([bytes]) == [.whole])
        #expect(Self.verdicts(bytes.map { [$0] }).last == .whole)
    }

    @Test func `a ClientHello that is too long is refused by its length`() {
        #expect(
            Self.verdicts([[22, 3, 1, 64, 0, 1, 1, 0, 0]]) == [
                .refused("a ClientHello of 65540 bytes")
            ])
        #expect(Self.verdicts([Self.hello(16_384)]) == [.whole])
        #expect(Self.verdicts(Self.hello(16_384).map { [$0] }).last == .whole)
        #expect(Self.verdicts([Self.hello(16_385)]) == [.refused("a ClientHello of 16385 bytes")])
    }

    @Test func `a ClientHello in many small records ends at 16 KiB of input`() {
        let bytes = Self.hello(8_000, inRecordsOf: 1)
        let verdicts = Self.verdicts(bytes.map { [$0] })
        #expect(verdicts.count == 16_389)
        #expect(verdicts.last == .refused("a ClientHello of more than 16389 bytes"))
    }

    @Test func `silent and slow handshakes have no connection of OpenSSL`() throws {
        let test = try TestLoop()
        let pair = try TrustedPair()
        let server = Recorder()
        let listener = try test.listen(tls: pair.server) { server }
        let client = try OpenSSLClient(version: TLS1_3_VERSION)
        let socket = try RawSocket(to: listener.address)
        test.runTicks { server.acceptedCount == 1 }
        #expect(test.loop.tlsPort.connectionCount == 0)
        #expect(!client.shakeHands([]))
        let hello = client.take()
        for byte in hello.dropLast() {
            #expect(socket.send([byte]) == 1)
            test.loop.later {}
            test.loop.tick()
        }
        test.loop.later {}
        test.loop.tick()
        #expect(test.loop.counters.bytesReceived >= hello.count - 1)
        #expect(test.loop.tlsPort.connectionCount == 0)
        #expect(socket.send([hello[hello.count - 1]]) == 1)
        var isDone = false
        test.poll {
            if !isDone, let bytes = socket.receive(), !bytes.isEmpty {
                isDone = client.shakeHands(bytes)
                _ = socket.send(client.take())
            }
            return isDone && server.openedCount == 1
        }
        test.loop.later { server.stream?.abort() }
        test.run { server.isClosed }
    }

    @Test func `a handshake that never comes to its end stops at two records`() throws {
        let pair = try TrustedPair()
        let port = TLSPort()
        let output = OutputQueue(pool: SlabPool())
        let server = try #require(pair.server.makeEngine(port: port, serverName: nil))
        let client = try OpenSSLClient(version: TLS1_3_VERSION)
        #expect(!client.shakeHands([]))
        let hello = client.take()
        #expect(
            hello.withUnsafeBytes { server.handshake($0, into: output, at: .readClock()).outcome }
                == .needsInput)
        // A middlebox's change of cipher may stand before the client's flight, any number of times
        // as far as this bound is concerned (RFC 8446 section 5).
        var used = hello.count
        var outcome = TLSEngine.HandshakeOutcome.needsInput
        let piece: [UInt8] = [20, 3, 3, 0, 1, 1]
        while outcome == .needsInput, used < 100_000 {
            let step = piece.withUnsafeBytes {
                server.handshake($0, into: output, at: .readClock())
            }
            used += step.used
            outcome = step.outcome
        }
        #expect(used <= ClientHelloGate.handshakeBytesMax)
        guard case .failed = outcome else {
            Issue.record("\(outcome)")
            return
        }
        _ = output.taken()
    }

    @Test(.enabled(if: Heap.isMeasured))
    func `a ClientHello that comes slowly costs its bytes`() async {
        await #expect(processExitsWith: .success) {
            let test = try TestLoop()
            let pair = try TrustedPair()
            var servers: [Recorder] = []
            let listener = try test.listen(tls: pair.server) {
                servers.append(Recorder())
                return servers.last
            }
            var sockets: [RawSocket] = []
            var before = 0
            for count in 0..<60 {
                if count == 10 { before = Heap.bytesInUse() }
                let client = try OpenSSLClient(version: TLS1_3_VERSION)
                _ = client.shakeHands([])
                let hello = client.take()
                let socket = try RawSocket(to: listener.address)
                sockets.append(socket)
                test.runTicks { servers.count == sockets.count }
                let bytes = test.loop.counters.bytesReceived
                #expect(socket.send(Array(hello.dropLast())) == hello.count - 1)
                test.runTicks {
                    test.loop.counters.bytesReceived >= bytes + UInt64(hello.count - 1)
                }
            }
            let each = (Heap.bytesInUse() - before) / 50
            #expect(each < 4_096 && each > 200, "\(each) bytes")
            sockets = []
            test.run { servers.allSatisfy(\.isClosed) }
        }
    }
}
