// What a server sends to a client after the handshake: tickets in any form, key updates, and records
// without content.

import CEpoll.TLS
import Testing

@testable import Reactor

@Suite struct TLSClientTests {
    /// A ticket (RFC 8446 section 4.6.1) for two hours.
    private static func ticket(_ name: String) -> [UInt8] {
        let content: [UInt8] =
            [0, 0, 0x1C, 0x20] + [1, 2, 3, 4] + [1, 9] + [0, UInt8(name.utf8.count)]
            + Array(name.utf8) + [0, 0]
        return [4, 0, 0, UInt8(content.count)] + content
    }

    /// The client's next hello offers the ticket.
    private static func offers(_ name: String, _ pair: EnginePair) throws -> Bool {
        let next = try #require(
            pair.contexts.client.makeEngine(port: pair.clientPort, serverName: "localhost"))
        let queue = OutputQueue(pool: SlabPool())
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        _ = next.handshake(nothing, into: queue, at: .readClock())
        return String(decoding: queue.taken(), as: UTF8.self).contains(name)
    }

    @Test(arguments: [1, 3, 4, 5, 20, 1_000])
    func `a ticket is kept, in as many records as it comes`(_ most: Int) throws {
        let pair = try EnginePair()
        var rest = (Self.ticket("first-ticket") + Self.ticket("second-ticket"))[...]
        while !rest.isEmpty {
            let record = pair.sealed(
                Array(rest.prefix(most)), type: TLSContent.handshake, by: .server)
            let outcome = pair.receive(record, from: .server)
            #expect(outcome.status == .needsInput && outcome.answerBytes == 0)
            rest = rest.dropFirst(most)
        }
        #expect(try Self.offers("second-ticket", pair))
        #expect(pair.receive(pair.sealed([0x41], by: .server), from: .server).plaintext == [0x41])
    }

    @Test func `a ticket and a key update in one record both count`() throws {
        let pair = try EnginePair()
        for round in 0..<3 {
            let update: [UInt8] = [24, 0, 0, 1, 1]
            let record = pair.sealed(
                Self.ticket("ticket-\(round)") + update, type: TLSContent.handshake, by: .server)
            pair.updateKey(of: .server)
            let outcome = pair.receive(
                record + pair.sealed([0x41], by: .server), from: .server)
            #expect(outcome.plaintext == [0x41] && outcome.status == .needsInput)
            #expect(outcome.answerBytes > 0)
            #expect(try Self.offers("ticket-\(round)", pair))
            #expect(pair.receive(pair.sealed([0x42])).plaintext == [0x42])
        }
    }

    @Test(
        arguments: [
            // Too short for a ticket; longer than any; with bytes after its end.
            ([4, 0, 0, 5, 0, 0, 0, 0, 0], 50), ([4, 0xFF, 0xFF, 0xFF], 47),
            ([4, 0, 0, 14, 0, 0, 0, 1, 1, 2, 3, 4, 0, 0, 1, 7, 0, 9], 50),
        ] as [([UInt8], UInt8)])
    func `a bad ticket gets the alert that OpenSSL has chosen`(
        _ content: [UInt8], _ alert: UInt8
    ) throws {
        let pair = try EnginePair()
        let outcome = pair.receive(
            pair.sealed(content, type: TLSContent.handshake, by: .server)
                + pair.sealed([0x41], by: .server), from: .server)
        #expect(outcome.plaintext.isEmpty && outcome.status != .needsInput)
        #expect(outcome.alert == alert, "\(outcome.reason)")
    }

    @Test func `empty records of a server cost nothing but their bytes`() throws {
        let pair = try EnginePair()
        let flood = (0..<20_000).flatMap { _ in pair.emptyRecord(by: .server) }
        let outcome = pair.receive(flood + pair.sealed([0x41], by: .server), from: .server)
        #expect(outcome.plaintext == [0x41])
        #expect(outcome.status == .needsInput && outcome.answerBytes == 0)
    }

    @Test func `a client reads what a server has sealed, through key updates`() throws {
        let pair = try EnginePair()
        var records: [UInt8] = []
        var content: [UInt8] = []
        for round in 0..<60 {
            let piece = testBytes(round * 997, seed: UInt64(round + 1))
            content += piece
            records += pair.sealed(piece, by: .server) + pair.keyUpdate(by: .server)
        }
        #expect(pair.receive(records, from: .server).plaintext == content)
    }
}
