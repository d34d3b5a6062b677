// STUB of the contract (author: wire-protocols): replaced by Reply.swift.

/// One SMTP reply: code, RFC 3463 code, text.
package struct Reply {
    package var code: Int
    /// Writes the reply with its line end; `enhanced` puts the RFC 3463 code in front of the text.
    package func write(into output: inout Region, enhanced: Bool) { fatalError() }
    /// A reply with a text that is known at run time only; cleaned and cut to the line limit.
    package init(code: Int, enhanced: (Int, Int, Int), dynamicText: [UInt8]) { fatalError() }
}
