// What records are called in the server, and how their values look.
//
// A name is SHA-256 over the fleet's key, the hash of the API key and the keyed digest, cut to 128
// bits. Who reads the server finds no address, domain, API key or content in it, and cannot try a list
// of addresses either without the hash of the API key. A value is a fact and when it ends.

import COpenSSL
import Reactor
import Relay

/// 128 bits that name something in the server.
typealias ServerName = ContentDigest

extension ServerName {
    /// From 32 hexadecimal digits; nil for anything else.
    init?(_ text: Substring) {
        guard text.utf8.count == 32, let high = UInt64(text.prefix(16), radix: 16),
            let low = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }

    /// 32 hexadecimal digits.
    func write(into bytes: inout [UInt8]) {
        for word in [high, low] {
            var shift = 60
            while shift >= 0 {
                let digit = UInt8(truncatingIfNeeded: word >> UInt64(shift) & 15)
                bytes.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
                shift -= 4
            }
        }
    }

    var text: String {
        var bytes: [UInt8] = []
        write(into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Makes names. For one thread.
final class ServerNamer {
    /// What a name stands for.
    enum Subject: UInt64 {
        case scope = 1
        case record
        case keyLimit
        case domainLimit
        case domain
        case key
        case secret
    }

    private let digest = EVP_MD_fetch(nil, "SHA256", nil)
    private let context = EVP_MD_CTX_new()
    /// Of the fleet; what it makes is comparable for everybody who has it.
    private(set) var key: ContentHash.Key

    init(key: ContentHash.Key) { self.key = key }

    /// From now on names are made with this key.
    func use(_ key: ContentHash.Key) { self.key = key }

    deinit {
        EVP_MD_CTX_free(context)
        EVP_MD_free(digest)
    }

    /// Whether there may be records.
    func name(of scope: LedgerScope) -> ServerName {
        name(.scope, scope.owner, scope.sender)
    }

    /// A record.
    func name(of digest: ContentDigest, in scope: LedgerScope) -> ServerName {
        name(.record, scope.owner, scope.sender, digest.high, digest.low)
    }

    /// Something of an API key, whose public hash is given, or of nobody (0).
    func name(_ subject: Subject, account: UInt64, _ text: String = "") -> ServerName {
        name(subject, account, 0, text: text)
    }

    private func name(
        _ subject: Subject, _ a: UInt64, _ b: UInt64, _ c: UInt64 = 0, _ d: UInt64 = 0,
        text: String = ""
    ) -> ServerName {
        let words = (
            key.words.0, key.words.1, key.words.2, key.words.3, subject.rawValue, a, b, c, d
        )
        let bytes = withUnsafeBytes(of: words) { words in
            var text = text
            return text.withUTF8 { hash(words, UnsafeRawBufferPointer($0)) }
        }
        return ServerName(high: bytes.0.bigEndian, low: bytes.1.bigEndian)
    }

    private func hash(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
    ) -> (UInt64, UInt64) {
        withUnsafeTemporaryAllocation(byteCount: Int(EVP_MAX_MD_SIZE), alignment: 8) { result in
            let isDone =
                EVP_DigestInit_ex2(context, digest, nil) == 1
                && EVP_DigestUpdate(context, first.baseAddress, first.count) == 1
                && EVP_DigestUpdate(context, second.baseAddress, second.count) == 1
                && EVP_DigestFinal_ex(
                    context, result.baseAddress?.assumingMemoryBound(to: UInt8.self), nil) == 1
            precondition(isDone, "OpenSSL has no SHA-256")
            return (result.load(as: UInt64.self), result.load(fromByteOffset: 8, as: UInt64.self))
        }
    }
}

extension ContentHash.Key {
    /// The key that stands for a secret of the fleet.
    init(secret: [UInt8]) {
        var bytes = [UInt8](repeating: 0, count: 32)
        let status = EVP_Q_digest(
            nil, "SHA256", nil, secret, secret.count, &bytes, nil)
        precondition(status == 1, "OpenSSL has no SHA-256")
        self.init(bytes: bytes)
    }

    /// From 32 bytes.
    fileprivate init(bytes: [UInt8]) {
        func word(_ start: Int) -> UInt64 {
            bytes[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) }
        }
        self.init(words: (word(0), word(8), word(16), word(24)))
    }

    /// 64 hexadecimal digits.
    var text: String {
        [words.0, words.1, words.2, words.3].map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    /// From 64 hexadecimal digits; nil for anything else.
    init?(text: Substring) {
        guard text.utf8.count == 64 else { return nil }
        var words: [UInt64] = []
        var rest = text
        while !rest.isEmpty {
            guard let word = UInt64(rest.prefix(16), radix: 16) else { return nil }
            words.append(word)
            rest = rest.dropFirst(16)
        }
        self.init(words: (words[0], words[1], words[2], words[3]))
    }
}

/// A fact as the server keeps it: "1a1767225600000 msg_1", that is the version of the form, the fact,
/// when it ends in milliseconds since 1970, and after a blank what belongs to the fact.
enum ServerValue {
    private static let version: UInt8 = 0x31
    private static let bytesMax = 1_024

    /// - Parameter milliseconds: when it ends, since 1970.
    static func bytes(_ fact: LedgerFact, until milliseconds: Int64) -> [UInt8] {
        var detail: [UInt8] = []
        let kind: Character
        switch fact {
        case .accepted(let messageID): (kind, detail) = ("a", messageID)
        case .delivered(let messageID): (kind, detail) = ("d", messageID)
        case .pending(let submission):
            (kind, detail) = ("p", Array(String(submission, radix: 16).utf8))
        case .refused(let refusal): (kind, detail) = ("r", Array(String(refusal.rawValue).utf8))
        case .tried: kind = "t"
        }
        return Array("1\(kind)\(milliseconds) ".utf8) + detail
    }

    /// The fact and its end; nil for what no relay has written.
    static func fact(_ bytes: [UInt8]) -> (fact: LedgerFact, until: Int64)? {
        guard bytes.count >= 4, bytes.count <= bytesMax, bytes[0] == version,
            let blank = bytes.firstIndex(of: 0x20),
            let until = Int64(String(decoding: bytes[2..<blank], as: UTF8.self)), until > 0
        else { return nil }
        let detail = Array(bytes[(blank + 1)...])
        let text = String(decoding: detail, as: UTF8.self)
        let fact: LedgerFact?
        switch bytes[1] {
        case UInt8(ascii: "a"): fact = detail.isEmpty ? nil : .accepted(messageID: detail)
        case UInt8(ascii: "d"): fact = .delivered(messageID: detail)
        case UInt8(ascii: "p"):
            fact = UInt64(text, radix: 16).map { .pending(submission: $0) }
        case UInt8(ascii: "r"):
            fact = UInt8(text).flatMap(LedgerRefusal.init(rawValue:)).map { .refused($0) }
        case UInt8(ascii: "t"): fact = .tried
        default: fact = nil
        }
        return fact.map { ($0, until) }
    }
}
