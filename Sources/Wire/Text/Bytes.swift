// Reading bytes that the reader does not own.
//
// Every parser takes a `Bytes` and answers with ranges into it; nothing here copies. A `Bytes` is
// bounds-checked and cannot outlive the memory that it shows.

import CEpoll.Kernels

/// Bytes of another owner, readable during a call.
package typealias Bytes = Span<UInt8>

extension Span where Element == UInt8 {
    /// Offset of the first `byte` at or after `start`; nil if there is none.
    package func firstIndex(of byte: UInt8, from start: Int = 0) -> Int? {
        precondition(start >= 0 && start <= count)
        let found = withUnsafeBufferPointer { buffer in
            ck_find_byte(buffer.baseAddress.map { $0 + start }, buffer.count - start, byte)
        }
        return found == count - start ? nil : start + found
    }

    /// Whether these bytes are `text`, ASCII letters compared without case.
    @inline(__always)
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

    /// `range` without byte order marks at its start, and without the blanks after them.
    package func withoutMark(_ range: Range<Int>) -> Range<Int> {
        guard !range.isEmpty, self[range.lowerBound] == 0xEF else { return range }
        var low = range.lowerBound
        while low + 3 <= range.upperBound, self[low] == 0xEF, self[low + 1] == 0xBB,
            self[low + 2] == 0xBF
        {
            low = trimmed(low + 3..<range.upperBound).lowerBound
        }
        return low..<range.upperBound
    }

    /// Calls `body` with each entry of a comma-separated list, trimmed, if it is not empty.
    package func forEachListed(_ body: (Bytes) -> Void) {
        var start = 0
        while start <= count {
            let end = firstIndex(of: 0x2C, from: start) ?? count
            let entry = trimmed(start..<end)
            if !entry.isEmpty { body(extracting(entry)) }
            start = end + 1
        }
    }

    /// Offset of the first space or tab at or after `start`; nil if there is none.
    func firstBlank(from start: Int) -> Int? {
        var at = start
        while at < count, !self[at].isBlank { at += 1 }
        return at < count ? at : nil
    }

    /// Whether there is nothing but spaces, tabs, CR and LF.
    var isAllWhitespace: Bool { trimmed(0..<count).isEmpty }

    /// Whether these bytes hold a control byte other than the tab.
    var hasControlBytes: Bool {
        withUnsafeBufferPointer { ck_has_controls($0.baseAddress, $0.count) != 0 }
    }

    /// Whether no byte is over 127. An address that is not ASCII needs SMTPUTF8 (RFC 6531 3.3).
    package var isASCII: Bool {
        var all: UInt8 = 0
        for i in 0..<count { all |= self[i] }
        return all < 0x80
    }

    /// The end of the ASCII bytes from `start`.
    func asciiRun(from start: Int) -> Int {
        precondition(start >= 0 && start <= count)
        return withUnsafeBufferPointer { buffer in
            start + ck_find_high(buffer.baseAddress.map { $0 + start }, buffer.count - start)
        }
    }

    /// Whether all of these bytes are valid UTF-8 (Unicode 3.9, table 3-7).
    package var isValidUTF8: Bool {
        withUnsafeBufferPointer { buffer in
            var at = ck_find_high(buffer.baseAddress, buffer.count)
            while at < buffer.count {
                let length = ck_utf8_sequence(buffer.baseAddress! + at, buffer.count - at)
                guard length > 0 else { return false }
                at += Int(length)
            }
            return true
        }
    }

    /// A copy as an array; for tests and for bytes that are kept, never on the byte path.
    package func copied() -> [UInt8] { withUnsafeBufferPointer { Array($0) } }

    /// A copy as text, invalid UTF-8 replaced by U+FFFD; for text that is kept or logged.
    package func copiedText() -> String {
        withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }
}
