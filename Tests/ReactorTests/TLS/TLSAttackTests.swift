// Attacks on TLS 1.3 after the handshake, from inside: a peer that has the keys and sends what no peer
// may send. Two engines talk through memory; a sealer writes whatever the test wants.

import Testing

@testable import Reactor

@Suite struct TLSAttackTests {
    @Test func `valid data is delivered`() throws {
        let pair = try EnginePair()
        let outcome = pair.receive(pair.sealed(Array("NOOP\r\n".utf8)))
        #expect(outcome.plaintext == Array("NOOP\r\n".utf8))
        #expect(outcome.status == .needsInput && outcome.answerBytes == 0)
    }

    @Test(
        arguments: [
            // Not types that an encrypted record may hold (RFC 8446 section 5.1).
            (20, [1]), (24, [1, 0, 16]), (255, [0x41]), (1, [0x41]),
            // Alerts of a wrong length (section 6: one alert a record, two bytes).
            (21, [1]), (21, [1, 0, 0]), (21, [1, 0, 1, 0]),
        ] as [(UInt8, [UInt8])])
    func `a record that is not allowed ends the connection with an alert`(
        _ type: UInt8, _ content: [UInt8]
    ) throws {
        let pair = try EnginePair()
        let before = pair.sealed(Array("before".utf8))
        let bad = pair.sealed(content, type: type)
        let after = pair.sealed(Array("after".utf8))
        let outcome = pair.receive(before + bad + after)
        #expect(outcome.plaintext == Array("before".utf8))
        #expect(outcome.reason == "unexpected message of type \(type)")
        #expect(outcome.alert == TLSAlert.unexpectedMessage)
    }

    /// What both roles refuse, with the alert of RFC 8446 section 6.2.
    private static let refused: [([UInt8], UInt8)] = [
        // Hellos: there is no renegotiation (section 4.1.2). Finished: out of place.
        ([1, 0, 0, 4, 3, 3, 0, 0], 10), ([0, 0, 0, 0], 10), ([20, 0, 0, 0], 10),
        // A certificate request: we did not offer that (section 4.6.2).
        ([13, 0, 0, 3, 0, 0, 0], 10),
        // A KeyUpdate with another value, or another length (section 4.6.3).
        ([24, 0, 0, 1, 2], 47), ([24, 0, 0, 1, 255], 47), ([24, 0, 0, 0], 50),
        ([24, 0, 0, 2, 0, 0], 50), ([24, 0, 1, 1, 0], 50), ([24, 1, 0, 1, 0], 50),
        // Two in one record: keys change at its end (section 5.1).
        ([24, 0, 0, 1, 0, 24, 0, 0, 1, 0], 10), ([24, 0, 0, 1, 0, 0], 10),
    ]

    @Test(arguments: refused)
    func `a bad handshake message has its alert, from a server and from a client`(
        _ content: [UInt8], _ alert: UInt8
    ) throws {
        for side in [EnginePair.Side.client, .server] {
            let pair = try EnginePair()
            let before = pair.sealed(Array("before".utf8), by: side)
            let bad = pair.sealed(content, type: TLSContent.handshake, by: side)
            let outcome = pair.receive(before + bad + pair.sealed([0x41], by: side), from: side)
            #expect(outcome.plaintext == Array("before".utf8))
            #expect(outcome.alert == alert, "\(outcome.reason)")
            let cut = try EnginePair()
            let parts = content.flatMap {
                cut.sealed([$0], type: TLSContent.handshake, by: side)
            }
            // In pieces, a value that is good ends the message; what follows begins another.
            if content.count != 10 && content.count != 6 {
                #expect(cut.receive(parts, from: side).alert == alert)
            }
        }
    }

    @Test func `a client's tickets are no business of a server`() throws {
        let pair = try EnginePair()
        let ticket = pair.sealed([4, 0, 0, 5, 0, 0, 0, 0, 0], type: TLSContent.handshake)
        #expect(pair.receive(ticket).alert == TLSAlert.unexpectedMessage)
    }

    @Test func `a record of padding only is refused`() throws {
        let pair = try EnginePair()
        let outcome = pair.receive(pair.sealed([UInt8](repeating: 0, count: 16_000), type: 0))
        #expect(outcome.reason == "a record without content")
        #expect(outcome.answerBytes > 0)
    }

    @Test func `a bad tag is answered with an alert, and nothing after it is read`() throws {
        let pair = try EnginePair()
        var bad = pair.sealed(Array("before".utf8))
        bad[bad.count - 1] ^= 1
        let outcome = pair.receive(bad + pair.sealed(Array("after".utf8)))
        #expect(outcome.plaintext.isEmpty && outcome.reason == "bad record mac")
        #expect(outcome.alert == TLSAlert.badRecordMAC)
    }

    /// RFC 8446 section 5.4: content, type and padding have at most 2^14 + 1 bytes together.
    @Test(arguments: [
        (16_384 - 8, 8, true), (16_384 - 8, 9, false), (0, 16_384, true), (1, 16_384, false),
    ])
    func `padding counts to the length of a record`(
        _ count: Int, _ zeros: Int, _ isAllowed: Bool
    ) throws {
        for side in [EnginePair.Side.client, .server] {
            let pair = try EnginePair()
            let inner = testBytes(count) + [TLSContent.applicationData]
            let padded = inner + [UInt8](repeating: 0, count: zeros)
            let outcome = pair.receive(pair.sealedAsOne(padded, by: side), from: side)
            #expect(outcome.plaintext.count == (isAllowed ? count : 0))
            #expect(outcome.alert == (isAllowed ? nil : TLSAlert.recordOverflow))
        }
    }

    @Test func `records that are too long are refused by their header`() throws {
        let pair = try EnginePair()
        #expect(pair.receive([23, 3, 3, 0x40, 0x12]).reason == "record too long")
        let other = try EnginePair()
        #expect(
            other.receive([22, 3, 3, 0, 5, 1, 0, 0, 1, 0]).reason.contains("record of type 22"))
    }

    @Test func `empty records in bulk deliver nothing and harm nothing`() throws {
        let pair = try EnginePair()
        let flood = (0..<20_000).flatMap { _ in pair.emptyRecord() }
        let outcome = pair.receive(flood + pair.sealed([0x41]))
        #expect(outcome.plaintext == [0x41])
        #expect(outcome.status == .needsInput && outcome.answerBytes == 0)
    }

    @Test func `warnings that close nothing are ignored`() throws {
        let pair = try EnginePair()
        let flood = (0..<1_000).flatMap { _ in pair.sealed([1, 90], type: TLSContent.alert) }
        let outcome = pair.receive(flood + pair.sealed([0x41]))
        #expect(outcome.plaintext == [0x41] && outcome.answerBytes == 0)
    }

    @Test func `data after close_notify is never read`() throws {
        let pair = try EnginePair()
        let quit = pair.sealed(Array("QUIT\r\n".utf8))
        let close = pair.sealed([1, 0], type: TLSContent.alert)
        let outcome = pair.receive(quit + close + pair.sealed(Array("MAIL\r\n".utf8)))
        #expect(outcome.plaintext == Array("QUIT\r\n".utf8) && outcome.status == .ended)
    }

    @Test(arguments: [40, 42, 80, 0xFF] as [UInt8])
    func `an alert ends the connection, whatever its level`(_ alert: UInt8) throws {
        for level: UInt8 in [1, 2, 77] {
            let pair = try EnginePair()
            let outcome = pair.receive(
                pair.sealed([level, alert], type: TLSContent.alert) + pair.sealed([0x41]))
            #expect(outcome.plaintext.isEmpty)
            #expect(outcome.reason.contains("alert number \(alert)"))
        }
    }

    @Test func `a requested key update is sent once, and a flood of requests ends the connection`()
        throws
    {
        let pair = try EnginePair()
        let asking = pair.receive(pair.sealed([24, 0, 0, 1, 1], type: TLSContent.handshake))
        #expect(asking.status == .needsInput && asking.answerBytes > 0)
        let other = try EnginePair()
        var outcome = EnginePair.Outcome()
        var rounds = 0
        repeat {
            outcome = other.receive(other.keyUpdate())
            #expect(outcome.status != .needsInput || outcome.answerBytes == 0)
            rounds += 1
        } while outcome.status == .needsInput && rounds < 1_000
        #expect(outcome.reason == "too many key updates" && rounds == 65)
    }

    /// RFC 8446 section 5.1: a handshake message may be cut over several records.
    @Test(arguments: [1, 2, 3, 4])
    func `a key update in two records is understood`(_ cut: Int) throws {
        let pair = try EnginePair()
        for round in 0..<3 {
            let update: [UInt8] = [24, 0, 0, 1, UInt8(round & 1)]
            let parts =
                pair.sealed(Array(update[..<cut]), type: TLSContent.handshake)
                + pair.sealed(Array(update[cut...]), type: TLSContent.handshake)
            pair.updateKey()
            let outcome = pair.receive(parts + pair.sealed([0x41]))
            #expect(outcome.plaintext == [0x41] && outcome.status == .needsInput)
            #expect((outcome.answerBytes > 0) == (round & 1 == 1))
        }
    }

    @Test func `a key update byte by byte is understood`() throws {
        let pair = try EnginePair()
        let parts = [24, 0, 0, 1, 0].flatMap { pair.sealed([$0], type: TLSContent.handshake) }
        pair.updateKey()
        #expect(pair.receive(parts + pair.sealed([0x41])).plaintext == [0x41])
    }

    @Test(
        arguments: [
            (23, [0x41], 10, "type 23"), (21, [1, 0], 10, "type 21"), (22, [], 10, "empty"),
            (22, [24, 0, 1], 50, "a key update of 1572865 bytes"),
            (22, [0, 0, 1, 0, 0], 10, "does not end its record"),
        ] as [(UInt8, [UInt8], UInt8, String)])
    func `nothing may come between the parts of a key update`(
        _ type: UInt8, _ content: [UInt8], _ alert: UInt8, _ named: String
    ) throws {
        let pair = try EnginePair()
        let part = pair.sealed([24], type: TLSContent.handshake)
        // The sealer writes no empty record; its type, and a zero after it, make one.
        let next =
            content.isEmpty ? pair.sealed([type], type: 0) : pair.sealed(content, type: type)
        let outcome = pair.receive(part + next + pair.sealed([0x42]))
        #expect(outcome.plaintext.isEmpty)
        #expect(outcome.reason.contains(named))
        #expect(outcome.alert == alert)
    }

    @Test
    func `random bytes after the handshake end the connection, and a failed engine stays failed`()
        throws
    {
        let pair = try EnginePair()
        for seed in 0..<200 {
            // A record that looks right up to its tag, or no record at all.
            var bytes = testBytes(300, seed: UInt64(seed + 1))
            bytes.replaceSubrange(
                0..<5, with: [seed % 2 == 0 ? 23 : bytes[0] | 0x80, 3, 3, 0, 200])
            let outcome = pair.receive(bytes)
            #expect(outcome.plaintext.isEmpty)
            #expect(outcome.reason != "needsInput", "seed \(seed)")
        }
    }
}
