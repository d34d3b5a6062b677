// One UTF-8 character at a time, judged as the Unicode Standard does (3.9, table 3-7).
//
// Overlong forms, surrogates and values past U+10FFFF are invalid. An invalid sequence is as long
// as Unicode's "maximal subpart", so one broken character is replaced once.

import CEpoll.Kernels

/// What is at an offset.
enum UTF8Sequence: Equatable {
    /// A whole character of this many bytes, 1 to 4.
    case character(bytes: Int)
    /// The bytes end inside what may still become a character.
    case incomplete
    /// This many bytes, 1 to 3, cannot be part of a character.
    case invalid(bytes: Int)

    /// Judges `bytes` from `start`, which must be inside.
    static func at(_ start: Int, in bytes: Bytes) -> UTF8Sequence {
        precondition(start < bytes.count)
        let length = bytes.withUnsafeBufferPointer {
            Int(ck_utf8_sequence($0.baseAddress! + start, $0.count - start))
        }
        if length > 0 { return .character(bytes: length) }
        return length == 0 ? .incomplete : .invalid(bytes: -length)
    }
}
