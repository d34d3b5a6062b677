// How large the structures of a message may be.
//
// Every structure that input can make grow has its bound here. A message that passes a bound is
// refused with a `MIMEFault` and uses no more memory.

/// Bounds of a message's structure.
package enum MIMEBounds {
    /// Bytes of a header block, of the message or of a part, with its blank line.
    package static let headerBlockBytesMax = 262_144
    /// Bytes of one header field with its folding.
    package static let headerBytesMax = 65_536
    /// Fields of one header block.
    package static let headersMax = 1_000
    /// Body parts of a message, leaves and multiparts together.
    package static let partsMax = 1_000
    /// Multiparts inside each other.
    package static let nestingMax = 100
    /// Bytes of text before a multipart's first delimiter that are kept back and dropped. A longer
    /// text is no preamble: it is passed on as a text part.
    package static let preambleBytesMax = 16_384
    /// Bytes of memory that a walker keeps between messages, for a header block.
    package static let keptBytesMax = 32_768
}

/// Why a message cannot be walked: a bound was passed. `at` is the byte offset in the message.
package struct MIMEFault: Equatable {
    package enum Kind {
        case headerBlockTooLarge, headerTooLarge, tooManyHeaders, tooManyParts, nestedTooDeep,
            boundaryTooLong
    }
    package var kind: Kind
    package var at: Int

    /// "header block over 262144 bytes at byte 262150"
    package var description: String {
        let what =
            switch kind {
            case .headerBlockTooLarge: "header block over \(MIMEBounds.headerBlockBytesMax) bytes"
            case .headerTooLarge: "header over \(MIMEBounds.headerBytesMax) bytes"
            case .tooManyHeaders: "more than \(MIMEBounds.headersMax) headers"
            case .tooManyParts: "more than \(MIMEBounds.partsMax) parts"
            case .nestedTooDeep: "parts nested deeper than \(MIMEBounds.nestingMax)"
            case .boundaryTooLong: "boundary over \(BoundaryStack.boundaryBytesMax) bytes"
            }
        return "\(what) at byte \(at)"
    }
}

/// What was odd about a message's structure; none of it stops the walk.
package struct StructureOddities: Equatable {
    /// Texts before a multipart's first delimiter that were dropped, blank ones not counted.
    package var preambles = 0
    /// Texts after a multipart's close delimiter that were dropped, blank ones not counted.
    package var epilogues = 0
    /// In the headers of parts, lines that are no fields; and headers, of the message too, that text
    /// ended and not an empty line.
    package var headerLines = 0
    /// Contents that are not encoded as they say, and were passed as they stand.
    package var encodings = 0
    package init() {}
}
