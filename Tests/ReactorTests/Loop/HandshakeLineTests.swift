// The line of ClientHellos: how many a turn answers, in which order, and that a burst of connections
// lets the sessions that are in go first.

import CEpoll.TLS
import Testing

@testable import Reactor

@Suite struct HandshakeLineTests {
    private static func token(_ slot: Int) -> Token { Token(slot: slot, generation: 1) }

    /// The slots that one turn answers.
    private static func turn(
        _ line: inout HandshakeLine, after completions: Int, gone: Set<Int> = []
    ) -> [Int] {
        line.beginTurn(after: completions)
        var slots: [Int] = []
        while let token = line.next() {
            if gone.contains(token.slot) { line.passOver() } else { slots.append(token.slot) }
        }
        return slots
    }

    @Test func `a turn answers a few, in the order in which they came`() {
        var line = HandshakeLine()
        for slot in 0..<10 { line.join(Self.token(slot)) }
        #expect(Self.turn(&line, after: 0) == [0, 1, 2, 3])
        line.join(Self.token(10))
        #expect(Self.turn(&line, after: 0) == [4, 5, 6, 7])
        let count = line.count
        #expect(count == 3)
        #expect(Self.turn(&line, after: 0) == [8, 9, 10])
        let isEmpty = line.isEmpty
        #expect(isEmpty)
        #expect(Self.turn(&line, after: 0) == [])
    }

    @Test(arguments: [(0, 4), (31, 4), (32, 5), (320, 14), (100_000, 1_000)])
    func `a turn with more to do for others answers more`(completions: Int, answered: Int) {
        var line = HandshakeLine()
        for slot in 0..<1_000 { line.join(Self.token(slot)) }
        #expect(Self.turn(&line, after: completions) == Array(0..<answered))
    }

    @Test func `a connection that is gone takes no place of the turn`() {
        var line = HandshakeLine()
        for slot in 0..<100 { line.join(Self.token(slot)) }
        let gone = Set(0..<50)
        #expect(Self.turn(&line, after: 0, gone: gone) == [50, 51, 52, 53])
    }

    /// What a connection of the test has got so far.
    private final class Order {
        var openedByTurn: [Int] = []
        var opened = 0
        var echoes = 0
    }

    /// The kernel has all of it before the first turn: thirty ClientHellos, and bytes of a session
    /// that is in. The session is answered in the first turn, and the others a few in each.
    @Test func `a burst of connections lets those that are in go first`() throws {
        let test = try TestLoop()
        let contexts = try TrustedPair()
        let order = Order()
        let listener = try test.listen(tls: contexts.server) {
            let server = Recorder()
            server.onOpened = { _ in order.opened += 1 }
            server.onReceived = { stream, bytes in stream.write(bytes.span) }
            return server
        }
        let plain = try test.listen {
            let server = Recorder()
            server.onReceived = { stream, _ in
                order.echoes += 1
                stream.write("x")
            }
            return server
        }
        let first = try RawSocket(to: plain.address)
        #expect(first.send([1]) == 1)
        test.poll(until: { order.echoes == 1 })

        let clients = try (0..<30).map { _ in
            (try OpenSSLClient(version: TLS1_3_VERSION), try RawSocket(to: listener.address))
        }
        for (client, socket) in clients {
            #expect(!client.shakeHands([]))
            let hello = client.take()
            #expect(socket.send(hello) == hello.count)
        }
        // All are accepted and in the line before the next byte of the session comes.
        var answered: [Int] = []
        var answers = [[UInt8]](repeating: [], count: clients.count)
        func collect() {
            for (index, client) in clients.enumerated() {
                answers[index] += client.1.receive() ?? []
            }
            answered.append(answers.count { !$0.isEmpty })
        }
        #expect(first.send([2]) == 1)
        test.poll(until: {
            collect()
            return order.echoes == 2
        })
        #expect(answered.last! < clients.count / 2, "\(answered)")
        test.poll(until: {
            collect()
            return answered.last! == clients.count
        })
        for (earlier, later) in zip(answered, answered.dropFirst()) {
            #expect(later - earlier <= HandshakeLine.perTurn + 2, "\(answered)")
        }
        // And each of them gets through.
        for (index, client) in clients.enumerated() {
            _ = client.0.shakeHands(answers[index])
            let finished = client.0.take()
            #expect(client.1.send(finished) == finished.count)
        }
        test.run(until: { order.opened == clients.count })
    }

    /// Some are answered, and the others wait, when all of them are ended by their owner.
    @Test func `connections that end while they wait leave nothing, and the next is answered`()
        throws
    {
        let test = try TestLoop()
        let contexts = try TrustedPair()
        var servers: [Recorder] = []
        let listener = try test.listen(tls: contexts.server) {
            servers.append(Recorder())
            return servers.last
        }
        func connect() throws -> (OpenSSLClient, RawSocket) {
            let pair = (
                try OpenSSLClient(version: TLS1_3_VERSION), try RawSocket(to: listener.address)
            )
            #expect(!pair.0.shakeHands([]))
            let hello = pair.0.take()
            #expect(pair.1.send(hello) == hello.count)
            return pair
        }
        let clients = try (0..<12).map { _ in try connect() }
        var isOneAnswered = false
        test.poll(until: {
            if clients.contains(where: { $0.1.receive()?.isEmpty == false }) {
                isOneAnswered = true
            }
            return isOneAnswered && servers.count == clients.count
        })
        for server in servers { server.stream?.abort() }
        test.poll(until: { servers.allSatisfy(\.isClosed) })
        #expect(test.loop.counters.handshakesDone == 0)
        let (client, socket) = try connect()
        var answer: [UInt8] = []
        test.poll(until: {
            answer = socket.receive() ?? []
            return !answer.isEmpty
        })
        #expect(client.shakeHands(answer))
        let finished = client.take()
        #expect(socket.send(finished) == finished.count)
        test.run(until: { servers.last?.openedCount == 1 })
    }
}
