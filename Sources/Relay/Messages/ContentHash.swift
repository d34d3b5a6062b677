// A keyed fingerprint of a submission, computed while its bytes pass.
//
// Two multiply-and-fold chains of 64 bits, each over every other 16 bytes, under a key that the home
// of the ledger keeps: what a sender can't predict, a sender can't collide on purpose. Not a MAC. The
// result depends on the bytes alone, not on how they were cut.

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
        package var words: (UInt64, UInt64, UInt64, UInt64)

        package init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

        /// A random key.
        package static func random() -> Key {
            var source = Randomness()
            return Key(words: (source.next(), source.next(), source.next(), source.next()))
        }
    }

    let key: Key
    private var first: UInt64
    private var second: UInt64
    private var byteCount: UInt64 = 0
    /// The last `byteCount % 32` bytes, little-endian from the front.
    private var rest: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    private static let blockBytes = 32

    package init(key: Key) {
        self.key = key
        first = key.words.0
        second = key.words.2
    }

    /// The same, different for each `seed`.
    init(key: Key, seed: UInt64) {
        self.key = key
        first = Self.fold(seed ^ key.words.0, key.words.1)
        second = Self.fold(seed ^ key.words.2, key.words.3)
    }

    /// Adds `bytes`; where one feed ends and the next begins does not matter.
    package mutating func feed(_ bytes: Span<UInt8>) {
        let restCount = Int(byteCount % UInt64(Self.blockBytes))
        byteCount &+= UInt64(bytes.count)
        var offset = 0
        if restCount > 0 {
            offset = min(Self.blockBytes - restCount, bytes.count)
            keep(bytes.extracting(0..<offset), at: restCount)
            guard restCount + offset == Self.blockBytes else { return }
            mix(rest)
        }
        offset = mixBlocks(bytes, from: offset)
        rest = (0, 0, 0, 0)
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
        copy.mix(rest)
        let high = Self.fold(copy.first ^ key.words.3, copy.second ^ key.words.1 ^ byteCount)
        let low = Self.fold(
            copy.second &+ key.words.2, (copy.first &+ key.words.0) ^ (byteCount << 32))
        return ContentDigest(
            high: Self.fold(high ^ key.words.0, low ^ key.words.2), low: low ^ copy.first)
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

    private mutating func mix(_ block: (UInt64, UInt64, UInt64, UInt64)) {
        first = Self.fold(
            block.0.littleEndian ^ first, block.1.littleEndian ^ key.words.1)
        second = Self.fold(
            block.2.littleEndian ^ second, block.3.littleEndian ^ key.words.3)
    }

    /// Mixes whole blocks straight from the input; returns where the last one ended.
    private mutating func mixBlocks(_ bytes: Span<UInt8>, from start: Int) -> Int {
        var (one, two) = (first, second)
        let (keyOne, keyTwo) = (key.words.1, key.words.3)
        let end = bytes.withUnsafeBytes { raw in
            var offset = start
            guard let base = raw.baseAddress else { return offset }
            while offset &+ Self.blockBytes <= raw.count {
                let block = base + offset
                one = Self.fold(word(block, 0) ^ one, word(block, 8) ^ keyOne)
                two = Self.fold(word(block, 16) ^ two, word(block, 24) ^ keyTwo)
                offset &+= Self.blockBytes
            }
            return offset
        }
        (first, second) = (one, two)
        return end
    }

    /// The 128-bit product, folded to 64 bits.
    @inline(__always)
    private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }
}

/// Eight bytes at `base + offset`, little-endian, aligned or not.
@inline(__always)
private func word(_ base: UnsafeRawPointer, _ offset: Int) -> UInt64 {
    UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
}
