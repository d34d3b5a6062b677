// Removes a transfer encoding (RFC 2045 6).
//
// Resumable at any byte, into regions of one byte or more. It refuses nothing: text that is not
// encoded correctly stays as it is or is skipped, and is counted.

/// Bytes to bytes. For base64 attachments use `Base64Filter`, which does not decode.
package struct TransferDecoder {
    private let encoding: TransferEncoding
    private var quotedPrintable = QuotedPrintableDecoder()
    private var base64 = Base64Decoder()
    private var uuencode = UUDecoder()

    /// - Parameter encoding: that of the leaf; `.identity` and `.unknown` pass everything
    ///   untouched.
    package init(_ encoding: TransferEncoding) { self.encoding = encoding }

    /// Bad escapes that stayed as they are, and stray characters that were skipped.
    package var irregularCount: Int {
        switch encoding {
        case .identity, .unknown: 0
        case .quotedPrintable: quotedPrintable.irregularCount
        case .base64: base64.strayCount
        case .uuencode: uuencode.irregularCount
        }
    }

    /// - Returns: how much of `input` was taken; less than all only when `output` is full.
    package mutating func feed(_ input: Bytes, into output: inout Region) -> Int {
        switch encoding {
        case .identity, .unknown: output.append(input)
        case .quotedPrintable: quotedPrintable.feed(input, into: &output)
        case .base64: base64.feed(input, into: &output)
        case .uuencode: uuencode.feed(input, into: &output)
        }
    }

    /// Writes what is kept at the end of the content.
    /// - Returns: false when that needs more room; call again with the next region.
    package mutating func finish(into output: inout Region) -> Bool {
        switch encoding {
        case .identity, .unknown: true
        case .quotedPrintable: quotedPrintable.finish(into: &output)
        case .base64: base64.finish(into: &output)
        case .uuencode: uuencode.finish(into: &output)
        }
    }
}
