// Whether everything in a message is in the request, byte for byte.

import Foundation
import Wire

/// The contents of a request. The leaves of its message must match them.
struct RequestBalance {
    /// Decoded with another implementation than the relay's.
    private var attachments: [[UInt8]] = []
    private var bodies: [[UInt8]] = []
    private let hasTemplate: Bool

    /// - Parameter request: as an independent parser read it.
    init(_ request: [String: Any]) {
        hasTemplate = request["template"] != nil || request["template_id"] != nil
        for key in ["text_body", "html_body"] {
            if let body = request[key] as? String {
                bodies.append(Self.withoutMarks(Array(body.utf8)))
            }
        }
        for attachment in request["attachments"] as? [[String: Any]] ?? [] {
            let content = attachment["content"] as? String
            guard let content, let data = Data(base64Encoded: content), !data.isEmpty else {
                fatalError("an attachment without content in base64")
            }
            require(attachment["content_type"] is String, "an attachment without a type")
            let name = attachment["filename"] as? String ?? ""
            require(!name.isEmpty, "an attachment without a name")
            attachments.append(Array(data))
        }
    }

    /// Each leaf that is not empty is the next attachment or one of the bodies (or a body that a
    /// template replaces), and the request contains nothing else.
    func check(_ message: Bytes, charsets: CharsetCache) {
        let walk = WalkedMessage(message, in: [message.count], charsets: charsets)
        var leaves: [(content: [UInt8], text: [UInt8])] = []
        for leaf in walk.leaves {
            let content = Self.decoded(leaf)
            if content.isEmpty { continue }
            leaves.append((content, Self.text(content, leaf.charset, charsets)))
        }
        let preamble = Self.text(walk.keptPreamble, .undeclared, charsets)
        let lone = preamble.isEmpty ? [0x0A] : preamble
        require(
            settles(leaves[...], attachments[...], bodies, lone: lone),
            "leaves and request do not balance")
    }

    /// Whether all leaves can be matched with the rest of the request. A leaf that is equal to an
    /// attachment and to a body may be either, so both are tried. There are at most two bodies,
    /// which bounds the tries.
    /// - Parameter lone: the only body that may be left over.
    private func settles(
        _ leaves: ArraySlice<(content: [UInt8], text: [UInt8])>,
        _ attachments: ArraySlice<[UInt8]>, _ bodies: [[UInt8]], lone: [UInt8]
    ) -> Bool {
        var leaves = leaves
        var attachments = attachments
        while let leaf = leaves.popFirst() {
            if let index = bodies.firstIndex(of: leaf.text) {
                var fewer = bodies
                fewer.remove(at: index)
                if settles(leaves, attachments, fewer, lone: lone) { return true }
            }
            if attachments.first == leaf.content {
                attachments.removeFirst()
            } else if !leaf.text.isEmpty && !hasTemplate {
                return false
            }
        }
        return attachments.isEmpty && (bodies.isEmpty || bodies == [lone])
    }

    /// Content without its transfer encoding.
    private static func decoded(_ leaf: FuzzedLeaf) -> [UInt8] {
        var decoder = TransferDecoder(leaf.encoding)
        var offset = 0
        return collect(size: 4_096) { region in
            offset += decoder.feed(
                leaf.content.span.extracting(offset..<leaf.content.count), into: &region)
            return offset == leaf.content.count && decoder.finish(into: &region)
        }
    }

    /// The text that a UTF-8 reader sees: charset decoded, invalid UTF-8 replaced, line ends `\n`.
    private static func text(
        _ content: [UInt8], _ charset: Charset, _ charsets: CharsetCache
    ) -> [UInt8] {
        var bytes = content
        if !charset.isPassThrough {
            var decoder = CharsetDecoder(charset, cache: charsets)
            var offset = 0
            bytes = collect(size: 4_096) { region in
                offset += decoder.feed(
                    content.span.extracting(offset..<content.count), into: &region)
                return offset == content.count && decoder.finish(into: &region)
            }
        }
        var text: [UInt8] = []
        for byte in String(decoding: bytes, as: UTF8.self).utf8 {
            if byte == 0x0A, text.last == 0x0D {
                text[text.count - 1] = 0x0A
            } else {
                if text.last == 0x0D { text[text.count - 1] = 0x0A }
                text.append(byte)
            }
        }
        if text.last == 0x0D { text[text.count - 1] = 0x0A }
        return withoutMarks(text)
    }

    /// Foundation's JSON parser drops a U+FEFF after an escape, so U+FEFF is not compared.
    private static func withoutMarks(_ text: [UInt8]) -> [UInt8] {
        let scalars = String(decoding: text, as: UTF8.self).unicodeScalars
        return Array(String(String.UnicodeScalarView(scalars.filter { $0 != "\u{FEFF}" })).utf8)
    }
}
