// The messages after a handshake, without records and keys.

import TestSupport
import Testing

@testable import Reactor

@Suite struct TLSMessageReaderTests {
    private typealias Verdict = TLSMessageReader.Verdict
    private static let keyUpdate: [UInt8] = [24, 0, 0, 1, 1]

    private static func ticket(_ count: Int) -> [UInt8] {
        [4, 0, UInt8(count >> 8), UInt8(count & 0xFF)] + testBytes(count)
    }

    /// The bytes that belong to tickets, and the last verdict that is not `part`.
    private static func taken(
        _ pieces: [[UInt8]], by reader: inout TLSMessageReader
    ) -> (tickets: [UInt8], verdict: Verdict) {
        var tickets: [UInt8] = []
        var last = Verdict.part
        for piece in pieces {
            let (count, verdict) = piece.withUnsafeBytes { reader.take($0) }
            tickets += piece[..<count]
            if verdict != .part { last = verdict }
            if case .fault = verdict { break }
        }
        return (tickets, last)
    }

    @Test func `tickets and a key update are found however records cut them`() {
        let tickets = Self.ticket(0) + Self.ticket(1) + Self.ticket(300)
        let all = tickets + Self.keyUpdate
        for seed in 0..<500 {
            var random = SeededGenerator(seed: UInt64(seed + 1))
            var pieces: [[UInt8]] = []
            var rest = all[...]
            while !rest.isEmpty {
                let most =
                    seed == 0 ? rest.count : seed == 1 ? 1 : Int.random(in: 1...40, using: &random)
                pieces.append(Array(rest.prefix(most)))
                rest = rest.dropFirst(most)
            }
            var reader = TLSMessageReader(takesTickets: true)
            let (found, verdict) = Self.taken(pieces, by: &reader)
            #expect(found == tickets && verdict == .update(asksForOne: true), "seed \(seed)")
            #expect(!reader.isCut)
        }
    }

    @Test func `a message is cut until its last byte has come`() {
        for message in [Self.ticket(7), Self.keyUpdate] {
            var reader = TLSMessageReader(takesTickets: true)
            for (place, byte) in message.enumerated() {
                #expect(reader.isCut == (place > 0))
                _ = Self.taken([[byte]], by: &reader)
            }
            #expect(!reader.isCut)
        }
    }

    @Test func `a server takes no tickets, and nobody takes an empty record`() {
        for takesTickets in [true, false] {
            var reader = TLSMessageReader(takesTickets: takesTickets)
            guard case .fault(TLSAlert.unexpectedMessage, _) = Self.taken([[]], by: &reader).verdict
            else {
                Issue.record("an empty record is taken")
                return
            }
        }
        var reader = TLSMessageReader(takesTickets: false)
        let (tickets, verdict) = Self.taken([Self.ticket(7)], by: &reader)
        #expect(tickets.isEmpty)
        guard case .fault(TLSAlert.unexpectedMessage, _) = verdict else {
            Issue.record("\(verdict)")
            return
        }
    }

    @Test func `what precedes a fault in its record is still a ticket`() {
        var reader = TLSMessageReader(takesTickets: true)
        let (tickets, verdict) = Self.taken([Self.ticket(3) + [24, 0, 0, 1, 7]], by: &reader)
        #expect(tickets == Self.ticket(3))
        guard case .fault(TLSAlert.illegalParameter, _) = verdict else {
            Issue.record("\(verdict)")
            return
        }
    }
}
