// What peers may ask for: renegotiation, short records, and the extensions that docs/security.md
// lists.

import CEpoll.TLS
import Foundation
import Testing

@testable import Reactor

@Suite struct TLSNegotiationTests {
    private final class Pair {
        let client: OpenSSLClient
        let server: TLSEngine
        let downstream = OutputQueue(pool: SlabPool())
        private let port = TLSPort()
        private let contexts: TrustedPair

        init(version: Int32, fragmentCode: UInt8 = 0) throws {
            contexts = try TrustedPair()
            client = try OpenSSLClient(version: version, fragmentCode: fragmentCode)
            server = try #require(contexts.server.makeEngine(port: port, serverName: nil))
            client.shakeHands(with: server, downstream)
            _ = client.read(downstream.taken())
        }

        /// What the server reads from `bytes`, until it needs more or is done.
        func received(_ bytes: [UInt8]) -> (plaintext: [UInt8], status: TLSEngine.DecryptStatus) {
            var plaintext: [UInt8] = []
            var status = TLSEngine.DecryptStatus.hasMore
            var used = 0
            bytes.withUnsafeBytes { input in
                while status == .hasMore {
                    let step = server.decrypt(
                        UnsafeRawBufferPointer(rebasing: input[used...]), replies: downstream)
                    used += step.used
                    plaintext += Array(step.plaintext)
                    status = step.status
                }
            }
            return (plaintext, status)
        }
    }

    // MARK: Renegotiation

    @Test func `a renegotiation that is refused ends the connection at once`() throws {
        let pair = try Pair(version: TLS1_2_VERSION)
        pair.client.write(Array("before".utf8))
        let before = pair.client.take()
        pair.client.renegotiate()
        let request = pair.client.take()
        #expect(!request.isEmpty)
        let result = pair.received(before + request)
        #expect(result.plaintext == Array("before".utf8))
        #expect(result.status == .failed("renegotiation refused"))
        // One alert: no_renegotiation.
        #expect((1...40).contains(pair.downstream.byteCount))
        _ = pair.downstream.taken()
    }

    @Test func `a stream ends when its peer asks for renegotiation`() throws {
        let test = try TestLoop()
        let contexts = try TrustedPair()
        let server = Recorder()
        let listener = try test.listen(tls: contexts.server) { server }
        let socket = try RawSocket(to: listener.address)
        let client = try OpenSSLClient(version: TLS1_2_VERSION)
        var isDone = client.shakeHands([])
        _ = socket.send(client.take())
        test.poll {
            if !isDone, let bytes = socket.receive(), !bytes.isEmpty {
                isDone = client.shakeHands(bytes)
                _ = socket.send(client.take())
            }
            return isDone && server.openedCount == 1
        }
        client.renegotiate()
        _ = socket.send(client.take())
        // Requests as fast as they go, and nothing is read.
        let sent = test.loop.counters.bytesSent
        test.poll {
            client.renegotiate()
            _ = socket.send(client.take())
            return server.isClosed
        }
        test.run { true }
        #expect(server.closes == [.tls("renegotiation refused")])
        #expect(test.loop.counters.bytesSent - sent < 200)
    }

    // MARK: Sessions and names

    @Test(
        arguments: [
            ("a.example", "a.example", true), ("a.example", "A.Example", true),
            ("a.example", "b.example", false), ("a.example", nil, false),
            (nil, "a.example", false), (nil, nil, true),
        ] as [(String?, String?, Bool)], [TLS1_2_VERSION, TLS1_3_VERSION])
    func `a session is resumed under its own name only`(
        _ row: (first: String?, second: String?, isResumed: Bool), _ version: Int32
    ) throws {
        let context = try TLSContext.selfSignedServer(names: ["a.example", "b.example"])
        let port = TLSPort()
        let downstream = OutputQueue(pool: SlabPool())
        func client(_ name: String?, resuming earlier: OpenSSLClient? = nil) throws -> OpenSSLClient
        {
            let client = try OpenSSLClient(version: version, serverName: name, resuming: earlier)
            let server = try #require(context.makeEngine(port: port, serverName: nil))
            client.shakeHands(with: server, downstream)
            // The ticket of TLS 1.3.
            #expect(client.read(downstream.taken()) == [])
            #expect(server.isResumed == client.isResumed)
            return client
        }
        let first = try client(row.first)
        #expect(!first.isResumed)
        #expect(try client(row.second, resuming: first).isResumed == row.isResumed)
    }

    // MARK: Groups

    /// Whether this OpenSSL has the hybrid of X25519 and ML-KEM.
    private static let hasHybrid = OpenSSL_version_num() >= 0x3050_0000

    private static func negotiated(
        _ server: TLSContext, offering groups: String?
    ) throws -> String {
        let engine = try #require(server.makeEngine(port: TLSPort(), serverName: nil))
        let downstream = OutputQueue(pool: SlabPool())
        try OpenSSLClient(version: TLS1_3_VERSION, groups: groups)
            .shakeHands(with: engine, downstream)
        _ = downstream.taken()
        return try #require(engine.info).group
    }

    @Test func `the hybrid is negotiated where the library has it`() throws {
        let pair = try EnginePair()
        let best = Self.hasHybrid ? "X25519MLKEM768" : "x25519"
        #expect(pair.server.info?.group == best && pair.client.info?.group == best)
    }

    @Test func `clients without it get what they have`() throws {
        let server = try TLSContext.selfSignedServer(names: ["localhost"])
        for (groups, group) in [
            ("X25519", "x25519"), ("P-256", "secp256r1"), ("P-384:P-256", "secp384r1"),
            ("P-521:P-256:X25519", "x25519"),
        ] {
            #expect(try Self.negotiated(server, offering: groups) == group, "\(groups)")
        }
    }

    @Test func `a list of groups is obeyed, and refused with its text when it is wrong`() throws {
        let server = try TLSContext.selfSignedServer(names: ["localhost"], groups: "P-384:P-521")
        #expect(try Self.negotiated(server, offering: nil) == "secp384r1")
        for groups in ["", "X25519:nonsense", "X25519 P-256"] {
            let error = #expect(throws: TLSError.self) {
                try TLSContext.client(caFile: nil, groups: groups)
            }
            let subject = groups.isEmpty ? "TLS groups" : "TLS groups \(groups)"
            #expect(error?.description.hasPrefix(subject + ": ") == true)
        }
        #expect(OpenSSLError.takeLine() == "unexpected end of TLS")
    }

    // MARK: max_fragment_length

    @Test(arguments: [1, 2, 3, 4], [TLS1_2_VERSION, TLS1_3_VERSION])
    func `records are as short as the client has asked for`(_ code: UInt8, _ version: Int32) throws
    {
        let pair = try Pair(version: version, fragmentCode: code)
        let most = 256 << Int(code)
        for count in [1, most - 1, most, most + 1, 16_384, 40_000] {
            let content = testBytes(count)
            #expect(content.withUnsafeBytes { pair.server.encrypt($0, into: pair.downstream) })
            let records = pair.downstream.taken()
            #expect(Self.lengths(of: records).allSatisfy { $0 <= most + 1 + 24 })
            #expect(pair.client.read(records) == content)
        }
        // The other direction: OpenSSL's client keeps to it too.
        let content = testBytes(9_000)
        pair.client.write(content)
        let result = pair.received(pair.client.take())
        #expect(result.plaintext == content && result.status == .needsInput)
    }

    @Test func `a stream's records are as short as the client has asked for`() throws {
        let test = try TestLoop()
        let contexts = try TrustedPair()
        let reply = testBytes(20_000)
        let server = Recorder()
        server.onOpened = { stream in
            stream.write(Array(reply[..<3_000]))
            stream.writeRecord(Array(reply[3_000...]))
        }
        let listener = try test.listen(tls: contexts.server) { server }
        let socket = try RawSocket(to: listener.address)
        let client = try OpenSSLClient(version: TLS1_3_VERSION, fragmentCode: 1)
        var isDone = client.shakeHands([])
        _ = socket.send(client.take())
        var received: [UInt8]? = []
        test.poll {
            guard let bytes = socket.receive(), !bytes.isEmpty else { return false }
            if isDone {
                received = received.flatMap { all in client.read(bytes).map { all + $0 } }
            } else {
                isDone = client.shakeHands(bytes)
                _ = socket.send(client.take())
                if isDone { received = client.read([]) }
            }
            return received == nil || received?.count == reply.count
        }
        #expect(received == reply)
        test.loop.later { server.stream?.abort() }
        test.run { server.isClosed }
    }

    @Test func `a client that breaks its own limit is refused`() throws {
        let secret = [UInt8](0..<32)
        let key = try #require(
            TLSTrafficKey(suite: .aes128GCM, secret: secret, isSealing: true, sequence: 0))
        let reading = try #require(
            TLSTrafficKey(suite: .aes128GCM, secret: secret, isSealing: false, sequence: 0))
        let output = OutputQueue(pool: SlabPool())
        #expect(testBytes(513).withUnsafeBytes { TLSRecordSealer(key: key).seal($0, into: output) })
        let opener = TLSRecordOpener(key: reading, contentBytesMax: 512)
        withUnsafeTemporaryAllocation(byteCount: TLSRecordOpener.roomBytes, alignment: 8) { room in
            output.taken().withUnsafeBytes { input in
                var offset = 0
                guard
                    case .failed(TLSAlert.recordOverflow, _) =
                        opener.next(input, &offset, into: room.baseAddress!)
                else {
                    Issue.record("a record of 513 bytes is taken")
                    return
                }
            }
        }
    }

    private static func lengths(of records: [UInt8]) -> [Int] {
        var lengths: [Int] = []
        var offset = 0
        while offset + 5 <= records.count {
            lengths.append(Int(records[offset + 3]) << 8 | Int(records[offset + 4]))
            offset += 5 + lengths[lengths.count - 1]
        }
        return lengths
    }

    // MARK: Extensions

    /// A row of the table "Extensions" in docs/security.md.
    private struct Row {
        let number: Int
        let name: String
        let asServer: String
        let asClient: String

        /// Whether this OpenSSL has the extension: "compress_certificate (3.2)".
        var isKnown: Bool { Self.has(name.firstMatch(of: /\((\d+)\.(\d+)\)$/)?.output) }
        /// Whether our client sends it: "sent: …", "sent from 3.5 on: …".
        var isSent: Bool {
            asClient.hasPrefix("sent:")
                || asClient.hasPrefix("sent from")
                    && Self.has(asClient.firstMatch(of: /from (\d+)\.(\d+) on:/)?.output)
        }

        private static func has(_ version: (Substring, Substring, Substring)?) -> Bool {
            guard let (_, major, minor) = version, let major = UInt(major), let minor = UInt(minor)
            else { return true }
            return OpenSSL_version_num() >= major << 28 | minor << 20
        }
    }

    private static func rows() throws -> [Row] {
        let page = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../docs/security.md")
        let lines = try String(contentsOf: page, encoding: .utf8).split(separator: "\n")
        let table = lines.drop { !$0.hasPrefix("| number | extension |") }.dropFirst(2)
        return table.prefix { $0.hasPrefix("|") }.compactMap { line in
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 5, let number = Int(cells[0]) else { return nil }
            return Row(number: number, name: cells[1], asServer: cells[3], asClient: cells[4])
        }
    }

    /// OpenSSL understands these and SSL_extension_supported does not report them.
    private static let unreported: Set = [50, 65_000]

    @Test func `docs list every extension of this OpenSSL, and what we do with it`() throws {
        let offered = Set((0...65_535).filter { SSL_extension_supported(UInt32($0)) == 1 })
        let listed = Set(try Self.rows().filter(\.isKnown).map(\.number))
        let version = String(cString: OpenSSL_version(OPENSSL_VERSION))
        for number in offered.subtracting(listed).sorted() {
            Issue.record(
                """
                \(version) may negotiate the extension \(number), and docs/security.md does not \
                list it. Find out what it changes in records and handshakes: do it in \
                Sources/Reactor/TLS, or switch it off in ct_set_options; then add its row.
                """)
        }
        for number in listed.subtracting(offered).subtracting(Self.unreported).sorted() {
            Issue.record("\(version) does not know the extension \(number): take its row away")
        }
        for row in try Self.rows() {
            #expect(
                row.asServer.hasPrefix("done") || row.asServer.hasPrefix("off"),
                "say of \(row.number) whether a server does it")
        }
    }

    @Test func `our ClientHello carries the extensions that docs say are sent, and no other`()
        throws
    {
        let rows = try Self.rows()
        let sent = Set(rows.filter(\.isSent).map(\.number))
        let resuming = Set(rows.filter { $0.asClient.hasPrefix("sent to resume:") }.map(\.number))
        #expect(
            rows.allSatisfy {
                $0.asClient.hasPrefix("sent") || $0.asClient.hasPrefix("off")
            })
        let contexts = try TrustedPair()
        let clientPort = TLSPort()
        let serverPort = TLSPort()
        var hellos: [Set<Int>] = []
        for _ in 0..<2 {
            let client = try #require(
                contexts.client.makeEngine(port: clientPort, serverName: "localhost"))
            let server = try #require(contexts.server.makeEngine(port: serverPort, serverName: nil))
            let upstream = OutputQueue(pool: SlabPool())
            let downstream = OutputQueue(pool: SlabPool())
            var isClientDone = false
            for round in 0..<4 where !isClientDone || server.info == nil {
                let bytes = downstream.taken()
                if !isClientDone {
                    isClientDone =
                        bytes.withUnsafeBytes {
                            client.handshake($0, into: upstream, at: .readClock()).outcome
                        } == .finished
                }
                let answer = upstream.taken()
                if round == 0 { hellos.append(Self.extensions(of: answer)) }
                if server.info == nil {
                    _ = answer.withUnsafeBytes {
                        server.handshake($0, into: downstream, at: .readClock())
                    }
                }
            }
            // The ticket.
            let bytes = downstream.taken()
            _ = bytes.withUnsafeBytes { client.decrypt($0, replies: upstream) }
            _ = upstream.taken()
        }
        #expect(hellos[0] == sent)
        #expect(hellos[1] == sent.union(resuming))
    }

    /// The extensions of a ClientHello in one record (RFC 8446 section 4.1.2).
    private static func extensions(of record: [UInt8]) -> Set<Int> {
        func number(_ at: Int) -> Int { Int(record[at]) << 8 | Int(record[at + 1]) }
        var at = 5 + 4 + 2 + 32
        at += 1 + Int(record[at])
        at += 2 + number(at)
        at += 1 + Int(record[at])
        let end = at + 2 + number(at)
        at += 2
        var found: Set<Int> = []
        while at + 4 <= end {
            found.insert(number(at))
            at += 4 + number(at + 2)
        }
        return found
    }
}
