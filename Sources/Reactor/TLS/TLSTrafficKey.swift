// The key of one direction of a TLS 1.3 connection, and the nonce of each record (RFC 8446 sections
// 5.3, 7.1, 7.2 and 7.3).
//
// OpenSSL does the handshake and reports the traffic secrets; the algorithms are OpenSSL's too.
// This file decides which key, which nonce and which sequence number to use. A sequence number is
// used once: it moves on with every record, also when the record is bad.

import CEpoll.AEAD
import CEpoll.KDF
import CEpoll.TLS

/// A cipher suite of TLS 1.3.
enum TLSSuite {
    case aes128GCM, aes256GCM, chacha20Poly1305

    /// - Parameter identifier: of the IANA registry; nil for others.
    init?(identifier: UInt16) {
        switch identifier {
        case 0x1301: self = .aes128GCM
        case 0x1302: self = .aes256GCM
        case 0x1303: self = .chacha20Poly1305
        default: return nil
        }
    }

    var keyBytes: Int { self == .aes128GCM ? 16 : 32 }
    /// Bytes of the hash, and so of a traffic secret.
    var secretBytes: Int { self == .aes256GCM ? 48 : 32 }
    fileprivate var isSHA384: Int32 { self == .aes256GCM ? 1 : 0 }

    /// Found once: looking for a cipher costs more than a handshake's key schedule.
    fileprivate var cipher: OpaquePointer? {
        switch self {
        case .aes128GCM: Self.foundAES128
        case .aes256GCM: Self.foundAES256
        case .chacha20Poly1305: Self.foundChaCha20
        }
    }

    private nonisolated(unsafe) static let foundAES128 = ct_aead_find("AES-128-GCM")
    private nonisolated(unsafe) static let foundAES256 = ct_aead_find("AES-256-GCM")
    private nonisolated(unsafe) static let foundChaCha20 = ct_aead_find("ChaCha20-Poly1305")
}

/// Key, nonces and sequence number of one direction.
final class TLSTrafficKey {
    /// Bytes of the authentication tag, for each suite of TLS 1.3.
    static let tagBytes = CT_TAG_BYTES
    private static let nonceBytes = CT_NONCE_BYTES
    /// Records under one key, well below the 2^24.5 that AES-GCM may protect (RFC 8446 section
    /// 5.5).
    static let recordsMax: UInt64 = 1 << 23

    private let suite: TLSSuite
    private let aead: OpaquePointer
    private var secret: [UInt8]
    /// The static part of the nonce: its first four bytes, and the eight that the sequence number
    /// is mixed into, big-endian as numbers.
    private var nonceHead: UInt32 = 0
    private var nonceTail: UInt64 = 0
    private var sequence: UInt64 = 0

    /// - Parameters:
    ///   - secret: the traffic secret, `suite.secretBytes` long.
    ///   - sequence: records that the direction has carried under this secret.
    /// - Returns: nil when OpenSSL refuses.
    init?(suite: TLSSuite, secret: [UInt8], isSealing: Bool, sequence: UInt64) {
        guard secret.count == suite.secretBytes, let cipher = suite.cipher,
            let aead = ct_aead_new(cipher, isSealing ? 1 : 0)
        else { return nil }
        self.suite = suite
        self.aead = aead
        self.secret = secret
        guard install() else { return nil }
        self.sequence = sequence
    }

    deinit {
        ct_aead_free(aead)
        Self.wipe(&secret)
    }

    /// Whether a sealing key has done its work, and the next one is due.
    var isWorn: Bool { sequence >= Self.recordsMax }

    /// Goes on to the next generation of the secret (RFC 8446 section 7.2).
    func update() -> Bool {
        guard var next = Self.expand(suite, secret, "traffic upd", suite.secretBytes) else {
            return false
        }
        swap(&secret, &next)
        Self.wipe(&next)
        return install()
    }

    /// Derives key and nonce from the secret; the sequence begins again.
    private func install() -> Bool {
        guard var key = Self.expand(suite, secret, "key", suite.keyBytes),
            let nonce = Self.expand(suite, secret, "iv", Self.nonceBytes)
        else { return false }
        nonceHead = nonce.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
        nonceTail = nonce.dropFirst(4).reduce(0) { $0 << 8 | UInt64($1) }
        sequence = 0
        let isSet = ct_aead_set_key(aead, key, key.count) == 1
        Self.wipe(&key)
        return isSet
    }

    // MARK: Records

    /// Begins a record: a nonce of its own, and the record's header as what is authenticated too.
    /// - Parameters:
    ///   - header: five bytes.
    ///   - tag: when opening, the sixteen bytes that the record ends with.
    func begin(header: UnsafePointer<UInt8>, tag: UnsafePointer<UInt8>?) -> Bool {
        guard sequence < .max else { return false }
        let tail = nonceTail ^ sequence
        sequence += 1
        return ct_aead_begin(aead, nonceHead, tail, header, tag) == 1
    }

    /// Transforms some of the record; `output` may be `input`, or apart from it.
    func transform(
        _ input: UnsafePointer<UInt8>, _ count: Int, into output: UnsafeMutablePointer<UInt8>
    ) -> Bool {
        ct_aead_update(aead, input, count, output) == 1
    }

    /// Ends a sealed record: its tag goes to `tag`.
    func seal(tag: UnsafeMutablePointer<UInt8>) -> Bool { ct_aead_seal(aead, tag) == 1 }

    /// Ends an opened record. False when it was changed on its way; what was transformed must not
    /// be looked at then.
    var isDone: Bool { ct_aead_open(aead) == 1 }

    // MARK: Derivation

    /// HKDF-Expand-Label with an empty context (RFC 8446 section 7.1), for at most as many bytes
    /// as the hash has.
    static func expand(
        _ suite: TLSSuite, _ secret: [UInt8], _ label: StaticString, _ count: Int
    ) -> [UInt8]? {
        precondition(count <= suite.secretBytes && secret.count == suite.secretBytes)
        var isDone = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { room, size in
            isDone =
                ct_expand_label(
                    suite.isSHA384, secret, label.utf8Start, room.baseAddress!, count) == 1
            size = isDone ? count : 0
        }
        return isDone ? bytes : nil
    }

    /// Overwrites a secret before its memory is given back.
    static func wipe(_ secret: inout [UInt8]) {
        secret.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
    }
}
