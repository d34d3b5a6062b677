// Whether everything in a message is in the request.

import Foundation
import Mapping
import Wire

/// The contents of a request. Each leaf of its message must be in them, or be counted as lost.
///
/// Which texts are shown, and where, is another reader's business (Tests/Mime/shown.py). This checks
/// what is true of every message: a leaf is an attachment, byte for byte, or its words are in the
/// bodies. A text outside every multipart/alternative has its words in each body that is sent.
struct RequestBalance {
    /// Decoded with another implementation than the relay's.
    private var attachments: [[UInt8]] = []
    private var bodies: [ShownWords] = []
    private let hasTemplate: Bool

    /// - Parameter request: as an independent parser read it.
    init(_ request: [String: Any]) {
        hasTemplate = request["template"] != nil || request["template_id"] != nil
        for key in ["text_body", "html_body"] {
            if let body = request[key] as? String {
                require(!body.isEmpty, "an empty \(key)")
                bodies.append(ShownWords(Array(body.utf8)))
            }
        }
        require(hasTemplate || !bodies.isEmpty, "no body")
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

    /// Each leaf that is not empty is an attachment or in the bodies, or lost and counted (or a body
    /// that a template replaces). The request has no other attachments. Their order is not looked at:
    /// a text of which a later part decides that it is a file comes after the others.
    func check(_ message: Bytes, losses: MappingLosses, charsets: CharsetCache) {
        let walk = WalkedMessage(message, in: [message.count], charsets: charsets)
        // HTML names parts by their Content-ID where it named them by their place.
        let isRewritten = String(decoding: message.copied(), as: UTF8.self).lowercased()
            .contains("content-location")
        let isIrregular = losses[.encodingsIrregular] + losses[.preambles] > 0
        var isLeaf = [Bool](repeating: false, count: attachments.count)
        var leaves = 0
        var lost = 0
        for leaf in walk.leaves {
            let content = Self.decoded(leaf)
            if content.isEmpty { continue }
            leaves += 1
            var isFound =
                hasTemplate || leaf.isHTML && isRewritten || isShown(leaf, content, charsets)
            for (index, attachment) in attachments.enumerated()
            where Self.is(attachment, leaf, content, isIrregular: isIrregular) {
                isLeaf[index] = true
                isFound = true
            }
            if !isFound { lost += 1 }
        }
        require(isLeaf.allSatisfy { $0 }, "an attachment that is no leaf")
        require(attachments.count <= leaves, "more attachments than leaves")
        // Rare forms of a text, and all but the last of several of a kind, are in neither body.
        require(
            lost <= losses[.alternativesNotShown],
            "a leaf is neither an attachment nor shown nor counted")
    }

    /// Whether an attachment is a leaf's content, decoded or as it came. Text after base64 is no part
    /// of a file, and what is text a file judges by less than a body (`Base64Filter`, which has a
    /// target of its own).
    private static func `is`(
        _ attachment: [UInt8], _ leaf: FuzzedLeaf, _ content: [UInt8], isIrregular: Bool
    ) -> Bool {
        attachment == content || attachment == leaf.content
            || isIrregular && content.starts(with: attachment)
            || leaf.encoding == .base64 && attachment == filtered(leaf)
    }

    /// Content whose base64 was passed on, decoded by another implementation.
    private static func filtered(_ leaf: FuzzedLeaf) -> [UInt8]? {
        var filter = Base64Filter()
        var offset = 0
        let text = collect(size: 4_096) { region in
            offset += filter.feed(
                leaf.content.span.extracting(offset..<leaf.content.count), into: &region)
            return offset == leaf.content.count && filter.finish(into: &region)
        }
        return Data(base64Encoded: Data(text)).map { [UInt8]($0) }
    }

    private func isShown(_ leaf: FuzzedLeaf, _ content: [UInt8], _ charsets: CharsetCache) -> Bool {
        guard leaf.isText else { return false }
        if leaf.deletesSpaces { return true }
        let text = Self.text(content, leaf, charsets)
        var visible = VisibleText(isHTML: leaf.isHTML)
        visible.feed(text.span)
        if visible.isBlank { return true }
        let words = ShownWords.words(of: text)
        return leaf.isInAlternative
            ? bodies.contains { $0.hold(words) } : bodies.allSatisfy { $0.hold(words) }
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

    /// A text as UTF-8.
    private static func text(
        _ content: [UInt8], _ leaf: FuzzedLeaf, _ charsets: CharsetCache
    ) -> [UInt8] {
        var decoder = CharsetDecoder(text: leaf.charset, isHTML: leaf.isHTML, cache: charsets)
        var offset = 0
        return collect(size: 4_096) { region in
            offset += decoder.feed(content.span.extracting(offset..<content.count), into: &region)
            return offset == content.count && decoder.finish(into: &region)
        }
    }
}

/// The words of a body: runs of ASCII letters and digits, which neither escapes nor line ends change.
private struct ShownWords {
    private let body: [UInt8]
    private let words: Set<ArraySlice<UInt8>>

    init(_ body: [UInt8]) {
        self.body = body
        words = Set(Self.words(of: body))
    }

    /// Whether all of `words` are here. Two texts may touch, so the first and the last of a text may
    /// be a part of a longer word.
    func hold(_ words: [ArraySlice<UInt8>]) -> Bool {
        for (index, word) in words.enumerated() where !self.words.contains(word) {
            guard index == 0 || index == words.count - 1, contains(word) else { return false }
        }
        return true
    }

    private func contains(_ word: ArraySlice<UInt8>) -> Bool {
        body.indices.contains { body[$0...].starts(with: word) }
    }

    static func words(of text: [UInt8]) -> [ArraySlice<UInt8>] {
        text.split { byte in
            !(0x30...0x39).contains(byte) && !(0x41...0x5A).contains(byte)
                && !(0x61...0x7A).contains(byte)
        }
    }
}
