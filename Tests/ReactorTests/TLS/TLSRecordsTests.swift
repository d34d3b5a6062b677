// Records and keys of TLS 1.3 without a socket: one side opens what the other seals, however it is
// cut, and a changed record is never delivered.

import Testing

@testable import Reactor

/// Both ends of one direction.
private struct Direction {
    let sealer: TLSRecordSealer
    let opener: TLSRecordOpener
    let output = OutputQueue(pool: SlabPool())

    init(_ suite: TLSSuite = .aes128GCM, startingAt sequence: UInt64 = 0) throws {
        let secret = [UInt8]((0..<UInt8(suite.secretBytes)))
        sealer = TLSRecordSealer(
            key: try #require(
                TLSTrafficKey(
                    suite: suite, secret: secret, isSealing: true, sequence: sequence)))
        opener = TLSRecordOpener(
            key: try #require(
                TLSTrafficKey(
                    suite: suite, secret: secret, isSealing: false, sequence: sequence)))
    }

    /// The records with `content`, as they would be sent.
    func sealed(_ content: [UInt8], type: UInt8 = TLSContent.applicationData) -> [UInt8] {
        #expect(content.withUnsafeBytes { sealer.seal($0, type: type, into: output) })
        return taken()
    }

    /// The bytes that would be sent.
    func taken() -> [UInt8] {
        var bytes: [UInt8] = []
        while let slab = output.first {
            slab.bytes.withUnsafeBytes { bytes += Array($0) }
            output.consume(slab.count)
        }
        return bytes
    }

    /// The result of `pieces`: joined contents, and types or failures in order.
    func opened(_ pieces: [[UInt8]]) -> (content: [UInt8], events: [String]) {
        var content: [UInt8] = []
        var events: [String] = []
        withUnsafeTemporaryAllocation(byteCount: TLSRecordOpener.roomBytes, alignment: 8) { room in
            for piece in pieces {
                piece.withUnsafeBytes { input in
                    var offset = 0
                    while true {
                        switch opener.next(input, &offset, into: room.baseAddress!) {
                        case .needsInput:
                            #expect(offset == input.count)
                            return
                        case .record(let type, let count):
                            content += Array(room[..<count])
                            events.append("\(type)")
                        case .failed(let alert, let reason):
                            events.append("\(alert) \(reason)")
                            return
                        }
                    }
                }
            }
        }
        return (content, events)
    }
}

@Suite struct TLSRecordsTests {
    @Test func `the opener says what a cut record lacks`() throws {
        let direction = try Direction()
        let first = direction.sealed([UInt8](repeating: 1, count: 1_000))
        #expect(direction.opener.cut == TLSRecordCut(recordBytes: 0, missingBytes: 0))
        _ = direction.opened([first])
        #expect(direction.opener.cut == TLSRecordCut(recordBytes: 1_022, missingBytes: 0))
        // Of another length; the first bytes of the header do not say so.
        let second = direction.sealed([UInt8](repeating: 2, count: 500))
        for (index, byte) in second.enumerated() {
            _ = direction.opened([[byte]])
            let count = index + 1
            let expected =
                count < 5
                ? TLSRecordCut(recordBytes: 1_022, missingBytes: 1_022 - count)
                : TLSRecordCut(recordBytes: 522, missingBytes: 522 - count)
            #expect(direction.opener.cut == expected, "after \(count) bytes")
        }
    }

    /// RFC 8448 section 3, the keys of the server's application data.
    @Test func `key and nonce match the RFC's example`() {
        let secret = hex(
            "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643")
        #expect(
            TLSTrafficKey.expand(.aes128GCM, secret, "key", 16)
                == hex("9f02283b6c9c07efc26bb9f2ac92e356"))
        #expect(
            TLSTrafficKey.expand(.aes128GCM, secret, "iv", 12) == hex("cf782b88dd83549aadf1e984"))
    }

    @Test(arguments: [TLSSuite.aes128GCM, .aes256GCM, .chacha20Poly1305])
    func `what is sealed is opened, whatever its length`(_ suite: TLSSuite) throws {
        let direction = try Direction(suite)
        for count in [1, 2, 15, 16, 17, 1_023, 1_024, 1_025, 16_383, 16_384, 16_385, 50_000] {
            let content = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            let records = direction.sealed(content)
            #expect(records.count == count + 22 * ((count + 16_383) / 16_384))
            let result = direction.opened([records])
            #expect(result.content == content)
            #expect(Set(result.events) == ["23"])
        }
    }

    @Test func `records are opened however receives cut them`() throws {
        let content = Array("MAIL FROM:<a@example.com>\r\n".utf8)
        for cut in 0...(3 * (content.count + 22)) {
            let direction = try Direction()
            let bytes = (0..<3).flatMap { _ in direction.sealed(content) }
            let result = direction.opened([Array(bytes[..<cut]), Array(bytes[cut...])])
            #expect(result.content == content + content + content, "cut at \(cut)")
        }
        let direction = try Direction()
        let bytes = (0..<3).flatMap { _ in direction.sealed(content) }
        let single = direction.opened(bytes.map { [$0] })
        #expect(single.content == content + content + content)
    }

    @Test func `a record with any changed byte is refused and not delivered`() throws {
        let content = Array("secret".utf8)
        let count = content.count + 22
        for place in 0..<count {
            let direction = try Direction()
            var bytes = direction.sealed(content)
            bytes[place] ^= 0x40
            let result = direction.opened([bytes])
            #expect(result.content.isEmpty, "byte \(place)")
            #expect(result.events.count <= 1 && !result.events.contains("23"), "byte \(place)")
        }
    }

    @Test func `a record that comes twice, or out of order, is refused`() throws {
        let direction = try Direction()
        let first = direction.sealed([1])
        let second = direction.sealed([2])
        #expect(direction.opened([second]).events == ["20 bad record mac"])
        let other = try Direction()
        #expect(other.opened([first]).events == ["23"])
        #expect(other.opened([first]).events == ["20 bad record mac"])
    }

    @Test(
        arguments: [
            ([20, 3, 3, 0, 1, 1], "10 a record of type 20 after the handshake"),
            ([21, 3, 3, 0, 2, 2, 40], "10 a record of type 21 after the handshake"),
            ([23, 3, 3, 0, 16], "20 record too short"),
            ([23, 3, 3, 0, 0], "20 record too short"),
            ([23, 3, 3, 0x40, 0x12], "22 record too long"),
            ([23, 3, 3, 0xFF, 0xFF], "22 record too long"),
        ] as [([UInt8], String)])
    func `impossible headers are refused before the body comes`(
        _ header: [UInt8], _ event: String
    ) throws {
        #expect(try Direction().opened([header]).events == [event])
        #expect(try Direction().opened(header.prefix(5).map { [$0] }).events.first == event)
    }

    @Test func `padding is removed, and a record of padding only is refused`() throws {
        let direction = try Direction()
        // The content's own type follows it, then zeros, then the byte that the sealer takes as a
        // type.
        let padded = direction.sealed([65, 66, 23, 0, 0, 0], type: 0)
        #expect(direction.opened([padded]).content == [65, 66])
        let empty = direction.sealed([0, 0, 0], type: 0)
        #expect(direction.opened([empty]).events == ["10 a record without content"])
    }

    @Test func `keys are updated on both sides, up to a bound`() throws {
        let direction = try Direction()
        for round in 0..<64 {
            #expect(direction.sealer.sealKeyUpdate(into: direction.output))
            #expect(direction.opened([direction.taken()]).events == ["22"])
            #expect(direction.opener.update())
            #expect(direction.opened([direction.sealed([UInt8(round)])]).events == ["23"])
        }
        #expect(!direction.opener.update())
    }

    @Test func `a key that has sealed enough is followed by the next`() throws {
        let direction = try Direction(startingAt: TLSTrafficKey.recordsMax - 1)
        #expect(direction.opened([direction.sealed([1])]).events == ["23"])
        let bytes = direction.sealed([2])
        let update = bytes.prefix(5 + 5 + 1 + TLSTrafficKey.tagBytes)
        #expect(direction.opened([Array(update)]).events == ["22"])
        #expect(direction.opener.update())
        #expect(direction.opened([Array(bytes.dropFirst(update.count))]).content == [2])
        #expect(direction.opened([direction.sealed([3])]).content == [3])
    }

    @Test func `sequence numbers do not run out into reuse`() throws {
        let direction = try Direction(startingAt: .max)
        #expect(!direction.sealer.sealAlert(0, level: 1, into: direction.output))
    }

    private func hex(_ text: String) -> [UInt8] {
        let digits = text.utf8.map { $0 < 0x61 ? $0 - 0x30 : $0 - 0x57 }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
