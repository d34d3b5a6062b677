// The key derivation that OpenSSL's handshakes use of ours: the same bytes as OpenSSL's own for
// whatever is asked, and the secrets of application data are heard.

import CEpoll.KDF
import CEpoll.TLS
import Glibc
import TestSupport
import Testing

@testable import Reactor

@Suite struct KeyDerivationTests {
    /// What is asked of TLS13-KDF; nil stands for a parameter that is not given.
    private struct Question {
        var mode: Int32
        var digest: String
        var key: [UInt8]?
        var salt: [UInt8]?
        var label: [UInt8]
        var data: [UInt8]?
        var size: Int

        /// The answer of the provider that `properties` choose; nil for a refusal.
        func answer(_ properties: String) throws -> [UInt8]? {
            let kdf = try #require(EVP_KDF_fetch(nil, "TLS13-KDF", properties))
            let context = try #require(EVP_KDF_CTX_new(kdf))
            EVP_KDF_free(kdf)
            defer {
                EVP_KDF_CTX_free(context)
                ERR_clear_error()
            }
            // The parameters point to names and values; all of them stay until the end.
            var memory: [UnsafeMutableRawPointer] = []
            defer { for piece in memory { piece.deallocate() } }
            func keep(_ bytes: [UInt8]) -> UnsafeMutableRawPointer {
                let copy = UnsafeMutableRawPointer.allocate(
                    byteCount: max(1, bytes.count), alignment: 8)
                copy.copyMemory(from: bytes, byteCount: bytes.count)
                memory.append(copy)
                return copy
            }
            func text(_ text: String) -> UnsafeMutablePointer<CChar> {
                keep(Array(text.utf8) + [0]).assumingMemoryBound(to: CChar.self)
            }
            let number = keep(withUnsafeBytes(of: mode) { Array($0) })
            var parameters = [
                OSSL_PARAM_construct_int(
                    text("mode"), number.assumingMemoryBound(to: Int32.self)),
                OSSL_PARAM_construct_utf8_string(text("digest"), text(digest), 0),
            ]
            let given = [
                ("key", key), ("salt", salt), ("prefix", Array("tls13 ".utf8)), ("label", label),
                ("data", data),
            ]
            for case (let name, let bytes?) in given {
                parameters.append(
                    OSSL_PARAM_construct_octet_string(text(name), keep(bytes), bytes.count))
            }
            parameters.append(OSSL_PARAM_construct_end())
            var out = [UInt8](repeating: 0, count: size)
            return EVP_KDF_derive(context, &out, size, parameters) == 1 ? out : nil
        }
    }

    // Not the relay's own words, which let OpenSSL's answer where ours is not there.
    private static let ours = "provider=postscale-relay"
    private static let theirs = "provider=default"
    private static let digests = [("SHA2-256", 32), ("SHA2-384", 48)]

    /// Any of these tests may be the first in the process that needs it.
    init() throws { try #require(ct_kdf_load() == 1) }

    @Test func `OpenSSL chooses it`() { #expect(ct_kdf_load() == 1) }

    @Test func `expanding gives what OpenSSL's own gives`() throws {
        var random = SeededGenerator(seed: 11)
        for (digest, bytes) in Self.digests {
            for size in [1, 12, 16, 31, 32, 33, 48, 49, 64, 96, 255, 1_000] {
                for context in [nil, 0, 1, bytes, 255] as [Int?] {
                    let question = Question(
                        mode: 2, digest: digest, key: random.bytes(bytes), salt: nil,
                        label: random.bytes(Int.random(in: 1...12, using: &random)),
                        data: context.map { random.bytes($0) }, size: size)
                    let answer = try question.answer(Self.ours)
                    #expect(try answer != nil && answer == question.answer(Self.theirs))
                }
            }
        }
    }

    @Test func `extracting gives what OpenSSL's own gives, with and without a salt and a secret`()
        throws
    {
        var random = SeededGenerator(seed: 12)
        for (digest, bytes) in Self.digests {
            for salt in [nil, bytes] as [Int?] {
                for key in [nil, bytes, 32, 66, 97] as [Int?] where key ?? 0 <= bytes {
                    let question = Question(
                        mode: 1, digest: digest, key: key.map { random.bytes($0) },
                        salt: salt.map { random.bytes($0) }, label: Array("derived".utf8),
                        data: nil, size: bytes)
                    let answer = try question.answer(Self.ours)
                    #expect(try answer != nil && answer == question.answer(Self.theirs))
                }
            }
        }
    }

    /// The secret of a key exchange may be longer than the hash: P-384 with SHA-256, and the hybrid.
    @Test(arguments: [33, 48, 64, 66, 1_120])
    func `a long secret of the key exchange is taken whole`(_ size: Int) throws {
        var random = SeededGenerator(seed: 13)
        for (digest, bytes) in Self.digests {
            let question = Question(
                mode: 1, digest: digest, key: random.bytes(size), salt: random.bytes(bytes),
                label: Array("derived".utf8), data: nil, size: bytes)
            let answer = try question.answer(Self.ours)
            #expect(try answer != nil && answer == question.answer(Self.theirs))
        }
    }

    @Test func `what it cannot do is refused`() throws {
        var question = Question(
            mode: 2, digest: "SHA2-256", key: [UInt8](repeating: 1, count: 32), salt: nil,
            label: [1], data: nil, size: 32)
        #expect(try question.answer(Self.ours) != nil)
        question.digest = "SHA2-512"
        #expect(try question.answer(Self.ours) == nil)
        question.digest = "SHA2-256"
        question.key = [1]
        #expect(try question.answer(Self.ours) == nil)
        question.key = nil
        #expect(try question.answer(Self.ours) == nil)
        question.key = [UInt8](repeating: 1, count: 32)
        question.mode = 0
        #expect(try question.answer(Self.ours) == nil)
        question.mode = 2
        question.label = [UInt8](repeating: 1, count: 250)
        #expect(try question.answer(Self.ours) == nil)
    }

    /// EVP_KDF_CTX_set_params: OpenSSL's handshake does not use it, and a secret that is derived without
    /// what was set would be another one.
    @Test func `nothing is kept between derivations, and a copy derives too`() throws {
        let kdf = try #require(EVP_KDF_fetch(nil, "TLS13-KDF", Self.ours))
        let context = try #require(EVP_KDF_CTX_new(kdf))
        EVP_KDF_free(kdf)
        defer { EVP_KDF_CTX_free(context) }
        var salt = [UInt8](repeating: 1, count: 32)
        var name = Array("salt".utf8CString)
        let given = [
            OSSL_PARAM_construct_octet_string(&name, &salt, salt.count), OSSL_PARAM_construct_end(),
        ]
        #expect(EVP_KDF_CTX_set_params(context, given) != 1)
        #expect(EVP_KDF_CTX_set_params(context, [OSSL_PARAM_construct_end()]) == 1)
        let copy = try #require(EVP_KDF_CTX_dup(context))
        EVP_KDF_CTX_free(copy)
        EVP_KDF_CTX_reset(context)
        var out = [UInt8](repeating: 0, count: 32)
        #expect(EVP_KDF_derive(context, &out, 32, nil) != 1)
        ERR_clear_error()
    }

    /// A loop has many handshakes under way, and there are many loops: each engine hears its own secrets.
    @Test func `handshakes that go on side by side hear their own secrets`() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for number in 0..<10 {
                        let pair = try EnginePair()
                        let words = Array("message \(number)".utf8)
                        #expect(pair.receive(pair.sealed(words)).plaintext == words)
                        let answer = pair.receive(
                            pair.sealed(words, by: .server), from: .server)
                        #expect(answer.plaintext == words)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// RFC 8448 section 3: from the server's traffic secret of the handshake.
    @Test func `a label is expanded as in the RFC's example`() {
        let secret = Self.bytes("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")
        var finished = [UInt8](repeating: 0, count: 32)
        #expect(ct_expand_label(0, secret, "finished", &finished, 32) == 1)
        #expect(
            finished
                == Self.bytes("008d3b66f816ea559f96b537e885c31fc068bf492c652f01f288a1d8cdc19fc8"))
    }

    /// The way for systems whose configuration keeps ours from being chosen.
    @Test func `a line of the key log is understood, and others are ignored`() {
        var secrets = TLSTrafficSecrets()
        let random = String(repeating: "0a", count: 32)
        secrets.learn("CLIENT_HANDSHAKE_TRAFFIC_SECRET \(random) ffff")
        secrets.learn("EXPORTER_SECRET \(random) ffff")
        #expect(secrets.client.isEmpty && secrets.server.isEmpty)
        secrets.learn("CLIENT_TRAFFIC_SECRET_0 \(random) 00ff10AB")
        secrets.learn("SERVER_TRAFFIC_SECRET_0 \(random) 42")
        #expect(secrets.client == [0, 0xFF, 0x10, 0xAB] && secrets.server == [0x42])
        secrets.wipe()
        #expect(secrets.client.isEmpty && secrets.server.isEmpty)
        secrets.learn("CLIENT_TRAFFIC_SECRET_0 \(random)")
        secrets.learn("SERVER_TRAFFIC_SECRET_0 \(random) 4x")
        #expect(secrets.client.isEmpty && secrets.server.isEmpty)
    }

    private static func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex)
        return stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(String(digits[$0...$0 + 1]), radix: 16)
        }
    }
}
