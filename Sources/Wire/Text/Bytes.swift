// Reading bytes that belong to somebody else.
//
// Every parser takes a `Bytes` and answers with ranges into it; nothing here copies. A `Bytes` is
// bounds-checked and cannot outlive the memory that it shows.

import CEpoll.Kernels

/// Bytes of somebody else's, readable for the length of a call.
package typealias Bytes = Span<UInt8>

extension Span where Element == UInt8 {
    /// Offset of the first `byte` at or behind `start`; nil if there is none.
    package func firstIndex(of byte: UInt8, from start: Int = 0) -> Int? {
        precondition(start >= 0 && start <= count)
        let found = withUnsafeBufferPointer { buffer in
            ck_find_byte(buffer.baseAddress.map { $0 + start }, buffer.count - start, byte)
        }
        return found == count - start ? nil : start + found
    }

    /// Whether these bytes are `text`, ASCII letters compared without case.
    package func equalsIgnoringCase(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { other in
            withUnsafeBufferPointer {
                ck_equals_ignoring_case($0.baseAddress, other.baseAddress, count) != 0
            }
        }
    }

    /// Whether these bytes begin with `text`, ASCII letters compared without case.
    package func startsIgnoringCase(_ text: StaticString) -> Bool {
        count >= text.utf8CodeUnitCount
            && extracting(0..<text.utf8CodeUnitCount).equalsIgnoringCase(text)
    }

    /// `range` without spaces, tabs, CR and LF at both ends.
    package func trimmed(_ range: Range<Int>) -> Range<Int> {
        var low = range.lowerBound
        var high = range.upperBound
        while low < high, self[low].isWhitespace { low += 1 }
        while high > low, self[high - 1].isWhitespace { high -= 1 }
        return low..<high
    }

    /// A copy as an array; for tests and for what is kept, never on the byte path.
    package func copied() -> [UInt8] { withUnsafeBufferPointer { Array($0) } }

    /// A copy as text, invalid UTF-8 replaced by U+FFFD; for what is kept or logged.
    package func copiedText() -> String {
        withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }
}

extension UInt8 {
    /// The lower-case form of an ASCII letter, every other byte unchanged.
    @inlinable
    package var asciiLowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }

    /// Space, tab, CR or LF.
    @inlinable
    package var isWhitespace: Bool { self == 0x20 || self == 0x09 || self == 0x0D || self == 0x0A }

    /// The value of a hexadecimal digit of either case; nil for every other byte.
    @inlinable
    package var hexValue: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x37
        case 0x61...0x66: self - 0x57
        default: nil
        }
    }
}
