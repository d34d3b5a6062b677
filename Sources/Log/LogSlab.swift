// The memory that lines are written into, and the place in it where the next byte goes.
//
// A cursor never runs over the end: a line that does not fit moves to a larger slab. Values that need
// no quotes, nearly all, are checked and copied eight bytes at a time.

import Glibc

/// Memory for lines. One loop writes behind what it has published, and the log's thread reads before
/// that, so no byte has two users (`LogStream`).
final class LogSlab: @unchecked Sendable {
    /// Of nearly every slab: a hundred lines.
    static let usualBytes = 32_768

    let memory: UnsafeMutableRawPointer
    /// In bytes.
    let capacity: Int

    init(capacity: Int = LogSlab.usualBytes) {
        memory = .allocate(byteCount: capacity, alignment: 16)
        self.capacity = capacity
    }

    deinit { memory.deallocate() }
}

/// Writes one line after the other into a slab.
struct LineCursor: ~Copyable {
    private(set) var slab: LogSlab
    private var memory: UnsafeMutableRawPointer
    private var capacity: Int
    /// Where the line begins.
    private(set) var start = 0
    /// Where its next byte goes.
    private(set) var count = 0
    /// The line did not fit, and has moved to the beginning of a slab of its own.
    private(set) var hasMoved = false

    init(_ slab: LogSlab) {
        self.slab = slab
        memory = slab.memory
        capacity = slab.capacity
    }

    /// The bytes of the line so far; valid until the next byte is written.
    var line: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: memory + start, count: count - start)
    }

    /// Bytes that fit without a move.
    var room: Int { capacity - count }

    /// The next line begins here.
    mutating func begin() {
        start = count
        hasMoved = false
    }

    /// The next line begins at the beginning of `slab`.
    mutating func begin(in slab: LogSlab) {
        self.slab = slab
        memory = slab.memory
        capacity = slab.capacity
        start = 0
        count = 0
        hasMoved = false
    }

    /// The line begins anew.
    mutating func clear() { count = start }

    // MARK: Bytes

    mutating func append(_ byte: UInt8) {
        need(1)
        memory.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count += 1
    }

    mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        need(bytes.count)
        (memory + count).copyMemory(from: base, byteCount: bytes.count)
        count += bytes.count
    }

    /// Appends what needs no quotes in a text line; else nothing, and returns false. An empty value
    /// needs them.
    mutating func appendPlain(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let length = bytes.count
        guard length > 0, let base = bytes.baseAddress else { return false }
        need(length)
        let target = memory + count
        var odd: UInt64 = 0
        if length >= 8 {
            var at = 0
            while at <= length - 8 {
                let word = base.loadUnaligned(fromByteOffset: at, as: UInt64.self)
                odd |= Self.odd(word)
                target.storeBytes(of: word, toByteOffset: at, as: UInt64.self)
                at += 8
            }
            let word = base.loadUnaligned(fromByteOffset: length - 8, as: UInt64.self)
            odd |= Self.odd(word)
            target.storeBytes(of: word, toByteOffset: length - 8, as: UInt64.self)
        } else {
            var word: UInt64 = 0x6161_6161_6161_6161
            for at in 0..<length {
                let byte = base.load(fromByteOffset: at, as: UInt8.self)
                word = word << 8 | UInt64(byte)
                target.storeBytes(of: byte, toByteOffset: at, as: UInt8.self)
            }
            odd = Self.odd(word)
        }
        guard odd == 0 else { return false }
        count += length
        return true
    }

    /// Not 0 when one of the eight bytes is not printable ASCII, or is a blank, `"` or `\`.
    /// ("Determine if a word has a byte less than n", Sean Anderson, Bit Twiddling Hacks.)
    @inline(__always)
    private static func odd(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let tops = ones << 7
        let isAbove = (word | tops) &- 0x21 &* ones
        let isNoQuote = (word ^ 0x22 &* ones | tops) &- ones
        let isNoBackslash = (word ^ 0x5C &* ones | tops) &- ones
        return (word | (word &+ ones) | ~(isAbove & isNoQuote & isNoBackslash)) & tops
    }

    /// Appends UTF-8, with `\\uXXXX` for controls, line separators and marks of text direction, and a
    /// backslash before `"` and `\`. What is not UTF-8 becomes U+FFFD.
    mutating func appendEscaped(_ bytes: UnsafeRawBufferPointer) {
        guard !appendPlain(bytes) else { return }
        for (index, byte) in bytes.enumerated() {
            guard byte < 0x80 else {
                return appendEscaped(
                    String(decoding: bytes[index...], as: UTF8.self).unicodeScalars)
            }
            appendEscaped(byte)
        }
    }

    private mutating func appendEscaped(_ byte: UInt8) {
        switch byte {
        case 0x22, 0x5C:
            append(0x5C)
            append(byte)
        case 0..<0x20, 0x7F: appendNumber(UInt32(byte))
        default: append(byte)
        }
    }

    private mutating func appendEscaped(_ scalars: String.UnicodeScalarView) {
        for scalar in scalars {
            switch scalar.value {
            case 0..<0x80: appendEscaped(UInt8(scalar.value))
            case 0x80...0x9F, 0x2028, 0x2029, 0x202A...0x202E, 0x2066...0x2069:
                appendNumber(scalar.value)
            default:
                for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter {
                    append(byte)
                }
            }
        }
    }

    /// `\\u` and four digits.
    private mutating func appendNumber(_ value: UInt32) {
        append("\\u")
        for shift in [12, 8, 4, 0] {
            let digit = UInt8(value >> UInt32(shift) & 0xF)
            append(digit < 10 ? 0x30 + digit : 0x57 + digit)
        }
    }

    /// Writes into the first four bytes of the line how many others it has.
    mutating func noteLength(headBytes: Int) {
        let length = UInt32(clamping: count - start - headBytes)
        memory.storeBytes(of: length, toByteOffset: start, as: UInt32.self)
    }

    /// Makes sure that `length` more bytes fit.
    @inline(__always)
    private mutating func need(_ length: Int) {
        if length > capacity - count { move(toFit: length) }
    }

    @inline(never)
    private mutating func move(toFit length: Int) {
        let used = count - start
        let larger = LogSlab(capacity: max(LogSlab.usualBytes, 2 * (used + length)))
        larger.memory.copyMemory(from: memory + start, byteCount: used)
        slab = larger
        memory = larger.memory
        capacity = larger.capacity
        start = 0
        count = used
        hasMoved = true
    }
}
