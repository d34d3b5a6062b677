// A keyed fingerprint of a submission, computed while its bytes pass.
//
// The kernels of CEpoll (kernels_hash.h) sum carry-less products under the words of a key, and evaluate a
// polynomial over the sums. Without the key it takes 2^64 tries to find two contents with one fingerprint,
// and no client is told a fingerprint. Not a MAC. The result depends on the bytes alone, not on how they
// were cut, nor on the processor.

import CEpoll.Kernels
import COpenSSL
import Reactor
import Wire

/// 128 bits that stand for a submission, or for a recipient of one.
package struct ContentDigest: Hashable, Sendable {
    package private(set) var high: UInt64
    package private(set) var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Adds another digest, so that a sum does not depend on the order.
    mutating func add(_ other: ContentDigest) {
        high &+= other.high
        low &+= other.low
    }
}

extension ContentDigest: Comparable {
    package static func < (a: ContentDigest, b: ContentDigest) -> Bool {
        (a.high, a.low) < (b.high, b.low)
    }
}

/// Takes bytes in any pieces, gives a digest. A value: copy it to branch (one digest a recipient).
package struct ContentHash: Sendable {
    /// Drawn once for a home of the ledger, and the same for everybody who uses that home.
    package struct Key: Sendable {
        package let words: (UInt64, UInt64, UInt64, UInt64)
        fileprivate let table: Table

        /// - Parameter words: uniformly random. What the kernels need is made of them, which takes some
        ///   20 µs.
        package init(words: (UInt64, UInt64, UInt64, UInt64)) {
            self.words = words
            table = Table(words)
        }

        /// A random key.
        package static func random() -> Key {
            var source = Randomness()
            return Key(words: (source.next(), source.next(), source.next(), source.next()))
        }
    }

    let key: Key
    private var state = ck_hash_state()
    private var byteCount: UInt64 = 0
    /// The last `byteCount % 16` bytes, and zeroes.
    private var rest: (UInt64, UInt64) = (0, 0)

    private static let wordBytes = CK_HASH_WORD_BYTES

    package init(key: Key) { self.key = key }

    /// The same, different for each `seed`.
    init(key: Key, seed: UInt64) {
        self.key = key
        state.polynomial = ck_bits(low: seed, high: 1)
    }

    /// Adds `bytes`; where one feed ends and the next begins does not matter.
    package mutating func feed(_ bytes: Span<UInt8>) {
        let restCount = Int(byteCount % UInt64(Self.wordBytes))
        byteCount &+= UInt64(bytes.count)
        var offset = 0
        if restCount > 0 {
            offset = min(Self.wordBytes - restCount, bytes.count)
            keep(bytes.extracting(0..<offset), at: restCount)
            guard restCount + offset == Self.wordBytes else { return }
            addRest()
        }
        let wordCount = (bytes.count - offset) / Self.wordBytes
        if wordCount > 0 {
            bytes.withUnsafeBufferPointer { memory in
                guard let start = memory.baseAddress else { return }
                ck_hash_words(&state, key.table.pointer, start + offset, wordCount)
            }
            offset += wordCount * Self.wordBytes
        }
        keep(bytes.extracting(offset...), at: 0)
    }

    /// Adds one number, so that fields of different lengths can't be taken for each other.
    package mutating func feed(_ number: UInt64) {
        withUnsafeBytes(of: number.littleEndian) { raw in
            feed(raw.bindMemory(to: UInt8.self).span)
        }
    }

    /// The digest of all bytes so far; more may be fed afterwards.
    package func digest() -> ContentDigest {
        var copy = self
        if byteCount % UInt64(Self.wordBytes) > 0 { copy.addRest() }
        ck_hash_number(&copy.state, key.table.pointer, byteCount)
        // The polynomial alone is linear. These two steps lose nothing.
        let result = copy.state.polynomial
        let low = result.low ^ Self.fold(result.high ^ key.words.0, key.words.1 | 1)
        let high = result.high ^ Self.fold(low ^ key.words.2, key.words.3 | 1)
        return ContentDigest(high: high, low: low)
    }

    private mutating func keep(_ bytes: Span<UInt8>, at offset: Int) {
        guard bytes.count > 0 else { return }
        withUnsafeMutableBytes(of: &rest) { raw in
            bytes.withUnsafeBytes {
                raw.baseAddress!.advanced(by: offset)
                    .copyMemory(from: $0.baseAddress!, byteCount: $0.count)
            }
        }
    }

    private mutating func addRest() {
        withUnsafeBytes(of: rest) { raw in
            guard let start = raw.bindMemory(to: UInt8.self).baseAddress else { return }
            ck_hash_words(&state, key.table.pointer, start, 1)
        }
        rest = (0, 0)
    }

    /// The 128-bit product, folded to 64 bits.
    private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }
}

extension ContentHash {
    /// What the kernels read of a key: its words stretched by SHA-256 in counter mode. Never changed.
    fileprivate final class Table: @unchecked Sendable {
        let pointer: UnsafePointer<ck_hash_key>

        init(_ words: (UInt64, UInt64, UInt64, UInt64)) {
            let key = UnsafeMutablePointer<ck_hash_key>.allocate(capacity: 1)
            key.initialize(to: ck_hash_key())
            var input: [UInt64] = [words.0, words.1, words.2, words.3, 0].map(\.littleEndian)
            let room = UnsafeMutableRawBufferPointer(
                start: key, count: MemoryLayout<ck_hash_key>.size)
            var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
            for offset in stride(from: 0, to: room.count, by: digest.count) {
                input[4] = UInt64(offset).littleEndian
                let status = input.withUnsafeBytes {
                    EVP_Digest($0.baseAddress, $0.count, &digest, nil, EVP_sha256(), nil)
                }
                precondition(status == 1, "OpenSSL has no SHA-256")
                let count = min(digest.count, room.count - offset)
                UnsafeMutableRawBufferPointer(rebasing: room[offset...])
                    .copyBytes(from: digest[0..<count])
            }
            pointer = UnsafePointer(key)
        }

        deinit { pointer.deallocate() }
    }
}
