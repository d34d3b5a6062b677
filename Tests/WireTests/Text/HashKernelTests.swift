// The kernels of the content hash, compared with a multiplication bit by bit and with each other, at
// every length and alignment. Memory is allocated exactly, so that AddressSanitizer sees a read outside.

import CEpoll.Kernels
import TestSupport
import Testing

@Suite("The kernels of the content hash")
struct HashKernelTests {
    /// Bit by bit: the definition.
    private func product(_ a: ck_bits, _ b: ck_bits) -> ck_bits {
        var result = ck_bits(low: 0, high: 0)
        for bit in (0..<128).reversed() {
            let carry = result.high >> 63
            result.high = result.high << 1 | result.low >> 63
            result.low = result.low << 1 ^ (carry == 1 ? 0x87 : 0)
            let word = bit < 64 ? a.low : a.high
            guard word >> UInt64(bit % 64) & 1 == 1 else { continue }
            result.low ^= b.low
            result.high ^= b.high
        }
        return result
    }

    private func carryless(_ a: UInt64, _ b: UInt64) -> ck_bits {
        var result = ck_bits(low: 0, high: 0)
        for bit in 0..<64 where a >> UInt64(bit) & 1 == 1 {
            result.low ^= b << UInt64(bit)
            if bit > 0 { result.high ^= b >> UInt64(64 - bit) }
        }
        return result
    }

    private func key(_ generator: inout SeededGenerator) -> UnsafeMutablePointer<ck_hash_key> {
        let key = UnsafeMutablePointer<ck_hash_key>.allocate(capacity: 1)
        let bytes = UnsafeMutableRawBufferPointer(
            start: key, count: MemoryLayout<ck_hash_key>.size)
        for index in bytes.indices { bytes[index] = UInt8.random(in: 0...255, using: &generator) }
        return key
    }

    @Test("multiply in GF(2^128)")
    func multiplies() {
        var generator = SeededGenerator(seed: 11)
        let high = ck_bits(low: 0, high: 1 << 63)
        var pairs = [(high, ck_bits(low: 2, high: 0)), (high, high)]
        for _ in 0..<500 {
            pairs.append(
                (
                    ck_bits(low: generator.next(), high: generator.next()),
                    ck_bits(low: generator.next(), high: generator.next())
                ))
        }
        for (a, b) in pairs {
            let expected = product(a, b)
            #expect(ck_hash_multiply_portable(a, b) == expected)
            if ck_hash_has_narrow() != 0 { #expect(ck_hash_multiply_narrow(a, b) == expected) }
        }
    }

    @Test("sum products under the key", arguments: 0...64)
    func sums(count: Int) {
        var generator = SeededGenerator(seed: UInt64(count))
        let key = key(&generator)
        defer { key.deallocate() }
        for shift in 0..<3 {
            let bytes = generator.bytes(16 * count)
            let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count + shift)
            defer { memory.deallocate() }
            for (index, byte) in bytes.enumerated() { memory[shift + index] = byte }
            var expected = ck_bits(low: 0, high: 0)
            let words = UnsafeRawPointer(key).assumingMemoryBound(to: UInt64.self)
            for index in 0..<count {
                func half(_ number: Int) -> UInt64 {
                    let at = 16 * index + 8 * number
                    let value = (0..<8).reversed().reduce(0) { $0 << 8 | UInt64(bytes[at + $1]) }
                    return value ^ words[2 * index + number]
                }
                let next = carryless(half(0), half(1))
                expected = ck_bits(low: expected.low ^ next.low, high: expected.high ^ next.high)
            }
            let start = memory + shift
            #expect(ck_hash_sum_portable(start, words, count) == expected)
            if ck_hash_has_narrow() != 0 {
                #expect(ck_hash_sum_narrow(start, words, count) == expected)
            }
            if ck_hash_has_wide() != 0 {
                #expect(ck_hash_sum_wide(start, words, count) == expected)
            }
        }
    }

    @Test("words in pieces are words at once")
    func pieces() {
        var generator = SeededGenerator(seed: 5)
        let key = key(&generator)
        defer { key.deallocate() }
        let bytes = generator.bytes(16 * 300)
        var whole = ck_hash_state()
        ck_hash_words(&whole, key, bytes, 300)
        for _ in 0..<50 {
            var cut = ck_hash_state()
            var at = 0
            while at < 300 {
                let count = min(300 - at, Int(generator.next() % 90))
                bytes.withUnsafeBufferPointer {
                    ck_hash_words(&cut, key, $0.baseAddress! + 16 * at, count)
                }
                at += count
            }
            #expect(cut.polynomial == whole.polynomial)
            #expect(cut.sum == whole.sum)
            #expect(cut.place == whole.place)
        }
    }
}

extension ck_bits: @retroactive Equatable {
    /// All bits are the same.
    public static func == (a: ck_bits, b: ck_bits) -> Bool { a.low == b.low && a.high == b.high }
}
