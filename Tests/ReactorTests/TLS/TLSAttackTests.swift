// Attacks on TLS 1.3 after the handshake, from inside: a client that has the keys and sends what no
// client may send. Two engines talk through memory; the client's sealer writes whatever the test
// wants.

import Testing

@testable import Reactor

/// The engines of a client and a server after their handshake.
private final class EnginePair {
    let client: TLSEngine
    let server: TLSEngine
    private let clientPort = TLSPort()
    private let serverPort = TLSPort()
    private let upstream = OutputQueue(pool: SlabPool())
    private let downstream = OutputQueue(pool: SlabPool())

    /// The server's result for some bytes.
    struct Outcome {
        var plaintext: [UInt8] = []
        var status = TLSEngine.DecryptStatus.needsInput
        /// The server's answer, as plaintext that the client could read.
        var answer = TLSEngine.DecryptStatus.needsInput
        var answerBytes = 0
        var reason: String {
            if case .failed(let line) = status { return line }
            return "\(status)"
        }
    }

    init() throws {
        let pair = try TrustedPair()
        client = try #require(pair.client.makeEngine(port: clientPort, serverName: "localhost"))
        server = try #require(pair.server.makeEngine(port: serverPort, serverName: nil))
        var isClientDone = false
        var isServerDone = false
        for _ in 0..<4 where !isServerDone {
            if !isClientDone {
                isClientDone =
                    client.handshake(bytes(taken(downstream)), into: upstream, at: .readClock())
                    .outcome
                    == .finished
            }
            isServerDone =
                server.handshake(bytes(taken(upstream)), into: downstream, at: .readClock()).outcome
                == .finished
        }
        try #require(isClientDone && isServerDone)
        // The ticket.
        _ = client.decrypt(bytes(taken(downstream)), replies: upstream)
        #expect(server.info?.version == "TLSv1.3")
    }

    /// Records as the client seals them.
    func sealed(_ content: [UInt8], type: UInt8 = TLSContent.applicationData) -> [UInt8] {
        guard let sealer = client.sealer else { return [] }
        #expect(content.withUnsafeBytes { sealer.seal($0, type: type, into: upstream) })
        return taken(upstream)
    }

    /// A KeyUpdate that asks for none, and the client's next key.
    func keyUpdate() -> [UInt8] {
        #expect(client.sealer?.sealKeyUpdate(into: upstream) == true)
        return taken(upstream)
    }

    /// The client's next key, after a KeyUpdate that the test has sealed itself.
    func updateClientKey() { #expect(client.sealer?.updateKey() == true) }

    /// An application record without content: its type, and a zero after it.
    func emptyRecord() -> [UInt8] { sealed([TLSContent.applicationData], type: 0) }

    /// The server reads until it needs more, ends or fails; the client reads the answers.
    func receive(_ records: [UInt8]) -> Outcome {
        var outcome = Outcome()
        var used = 0
        reading: while true {
            let input = Array(records[used...])
            let step = server.decrypt(bytes(input), replies: downstream)
            used += step.used
            outcome.plaintext += Array(step.plaintext)
            outcome.status = step.status
            switch step.status {
            case .hasMore: continue
            case .needsInput, .ended, .failed: break reading
            }
        }
        let answer = taken(downstream)
        outcome.answerBytes = answer.count
        if !answer.isEmpty {
            outcome.answer = client.decrypt(bytes(answer), replies: upstream).status
        }
        return outcome
    }

    /// Memory that stays until the pair is freed.
    private func bytes(_ array: [UInt8]) -> UnsafeRawBufferPointer {
        let copy = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(array.count, 1), alignment: 1)
        copy.copyBytes(from: array)
        memory.append(copy)
        return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(copy)[..<array.count])
    }

    private var memory: [UnsafeMutableRawBufferPointer] = []

    deinit { for piece in memory { piece.deallocate() } }

    private func taken(_ queue: OutputQueue) -> [UInt8] { queue.taken() }
}

@Suite struct TLSAttackTests {
    private static let keyUpdate: [UInt8] = [24, 0, 0, 1, 0]

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
            // A ClientHello: there is no renegotiation (section 4.1.2).
            (22, [1, 0, 0, 4, 3, 3, 0, 0]), (22, [0, 0, 0, 0]),
            // A ticket, a certificate request, Finished: a server's, or out of place.
            (22, [4, 0, 0, 5, 0, 0, 0, 0, 0]), (22, [13, 0, 0, 3, 0, 0, 0]), (22, [20, 0, 0, 0]),
            // KeyUpdate with another length or value, or two in one record (section 5.1: keys change
            // at the end of a record).
            (22, [24, 0, 0, 1, 2]), (22, [24, 0, 0, 0]), (22, [24, 0, 0, 2, 0, 0]),
            (22, [24, 0, 0, 1, 0, 24, 0, 0, 1, 0]), (22, [24, 0, 1, 1, 0]),
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
        guard case .failed(let line) = outcome.answer else {
            Issue.record("no alert: \(outcome.answer)")
            return
        }
        #expect(line.contains("unexpected message"))
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
        guard case .failed(let line) = outcome.answer else {
            Issue.record("no alert: \(outcome.answer)")
            return
        }
        #expect(line.contains("bad record mac"))
    }

    @Test func `records that are too long are refused by their header`() throws {
        let pair = try EnginePair()
        #expect(pair.receive([23, 3, 3, 0x41, 0x01]).reason == "record too long")
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
            pair.updateClientKey()
            let outcome = pair.receive(parts + pair.sealed([0x41]))
            #expect(outcome.plaintext == [0x41] && outcome.status == .needsInput)
            #expect((outcome.answerBytes > 0) == (round & 1 == 1))
        }
    }

    @Test func `a key update byte by byte is understood`() throws {
        let pair = try EnginePair()
        let parts = [24, 0, 0, 1, 0].flatMap { pair.sealed([$0], type: TLSContent.handshake) }
        pair.updateClientKey()
        #expect(pair.receive(parts + pair.sealed([0x41])).plaintext == [0x41])
    }

    @Test(
        arguments: [
            (23, [0x41], 23), (21, [1, 0], 21), (22, [], 22), (22, [24], 22),
            (22, [0, 0, 1, 0, 0], 22),
        ] as [(UInt8, [UInt8], Int)])
    func `nothing may come between the parts of a key update`(
        _ type: UInt8, _ content: [UInt8], _ named: Int
    ) throws {
        let pair = try EnginePair()
        let part = pair.sealed([24], type: TLSContent.handshake)
        // The sealer writes no empty record; its type, and a zero after it, make one.
        let next =
            content.isEmpty ? pair.sealed([type], type: 0) : pair.sealed(content, type: type)
        let outcome = pair.receive(part + next + pair.sealed([0x42]))
        #expect(outcome.plaintext.isEmpty)
        #expect(outcome.reason.contains("type \(named)"))
        #expect(outcome.answerBytes > 0)
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
