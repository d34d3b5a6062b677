// Pictures that HTML names by their place (RFC 2557): `src="image001.png"` beside a part with
// `Content-Location: image001.png`.
//
// The API has nothing for places, so each such part gets a Content-ID, and the HTML of the same
// multipart/related names it by that. A machine: it sees the structure, and HTML texts when they are
// written. Bounded: what does not fit into `bytesMax` is not tied.

import Wire

/// The ties of one message after the other.
struct LocationTies {
    /// The multipart/related that a part is in, and what URLs there are relative to.
    struct Scope: Equatable {
        /// 0 for none.
        var number = 0
        /// Absolute, or empty.
        var base: [UInt8] = []

        static let none = Scope()
    }

    /// A place, in the form in which it is compared.
    private struct Place: Hashable {
        var scope: Int
        var url: [UInt8]
    }

    /// An open multipart/related.
    private struct Level {
        /// How many multiparts are around its parts.
        var depth: Int
        var scope: Scope
    }

    /// Bytes of all places of a message.
    static let bytesMax = 262_144

    private var levels: [Level] = []
    private var scopeCount = 0
    /// Content-IDs by place; with scope 0 those of any multipart/related.
    private var ids: [Place: [UInt8]] = [:]
    private var byteCount = 0
    private var madeCount = 0
    /// Parts that no HTML can name, because there are too many.
    private(set) var forgottenCount = 0
    /// Parts of each scope that HTML can name by their place only.
    private var untied: [Int: Int] = [:]

    /// A new message.
    mutating func begin() {
        guard scopeCount > 0 || madeCount > 0 || !ids.isEmpty else { return }
        self = LocationTies()
    }

    /// Whether HTML has nothing to be changed.
    var isEmpty: Bool { ids.isEmpty }

    /// A multipart begins.
    /// - Parameter depth: multiparts around its parts, itself counted.
    mutating func multipartStart(_ head: EntityHead, depth: Int) {
        while let last = levels.last, last.depth >= depth { levels.removeLast() }
        guard head.mediaType.span.equalsIgnoringCase("multipart/related") else { return }
        scopeCount += 1
        let outer = levels.last?.scope.base ?? []
        levels.append(
            Level(depth: depth, scope: Scope(number: scopeCount, base: Self.base(head, outer))))
    }

    /// Of a leaf that begins.
    /// - Parameter depth: multiparts around it.
    func scope(atDepth depth: Int) -> Scope {
        levels.last { $0.depth <= depth }?.scope ?? .none
    }

    /// Of an HTML text: its own base counts more than that of the multipart.
    func scope(ofText head: EntityHead, depth: Int) -> Scope {
        var scope = scope(atDepth: depth)
        guard scope.number > 0 else { return scope }
        scope.base = Self.base(head, scope.base)
        return scope
    }

    private static func base(_ head: EntityHead, _ outer: [UInt8]) -> [UInt8] {
        guard !head.base.isEmpty || !head.location.isEmpty else { return outer }
        return ContentLocation.base(
            (head.base.isEmpty ? head.location : head.base).span, in: outer)
    }

    /// A part that is sent as an attachment.
    /// - Returns: the Content-ID to send with it when it has none of its own; empty when HTML cannot
    ///   name it by its place.
    mutating func tie(_ head: EntityHead, depth: Int) -> [UInt8] {
        let scope = scope(atDepth: depth)
        guard !head.location.isEmpty, mayTie(head, in: scope) else { return [] }
        let base = ContentLocation.base(head.base.span, in: scope.base)
        let url = ContentLocation.comparable(head.location.span, base: base)
        var id = head.contentID
        if id.isEmpty {
            madeCount += 1
            id = Array("part\(madeCount)@content-location".utf8)
            untied[scope.number, default: 0] += 1
        }
        guard byteCount + url.count + id.count <= Self.bytesMax else {
            if head.contentID.isEmpty { forgottenCount += 1 }
            return id
        }
        byteCount += url.count + id.count
        for number in [scope.number, 0] {
            let place = Place(scope: number, url: url)
            if ids[place] == nil { ids[place] = id }
        }
        return id
    }

    /// A page beside the page is shown by no mail program. Outside of a multipart/related files may
    /// have a place, too, and only inline pictures are named by it.
    private func mayTie(_ head: EntityHead, in scope: Scope) -> Bool {
        guard scope.number > 0 else {
            return !head.isAttachment && head.mediaType.span.startsIgnoringCase("image/")
        }
        return head.media == .other || head.mediaType.span.equalsIgnoringCase("text/css")
    }

    /// How many parts of this scope only their place ties to an HTML text that cannot be changed
    /// any more.
    func untiedCount(in scope: Scope) -> Int { untied[scope.number] ?? 0 }

    /// `html` with the Content-IDs of parts in place of their places.
    func tied(_ html: Bytes, in scope: Scope) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(html.count + 256)
        var references = HTMLReferences()
        var copied = 0
        while let place = references.next(html) {
            guard let id = id(of: html.extracting(place), in: scope) else { continue }
            Self.append(html.extracting(copied..<place.lowerBound), to: &text)
            text.append(contentsOf: "cid:".utf8)
            Self.appendEscaped(id, to: &text)
            copied = place.upperBound
        }
        Self.append(html.extracting(copied..<html.count), to: &text)
        return text
    }

    private func id(of reference: Bytes, in scope: Scope) -> [UInt8]? {
        guard ContentLocation.mayName(reference) else { return nil }
        let url = ContentLocation.comparable(reference, base: scope.base, isMarkup: true)
        if let id = ids[Place(scope: scope.number, url: url)] ?? ids[Place(scope: 0, url: url)] {
            return id
        }
        // Parts whose place is relative to nothing are beside the text, wherever that was once.
        guard !scope.base.isEmpty else { return nil }
        let near = ContentLocation.comparable(reference, base: [], isMarkup: true)
        return ids[Place(scope: scope.number, url: near)]
    }

    private static func append(_ bytes: Bytes, to text: inout [UInt8]) {
        bytes.withUnsafeBufferPointer { text.append(contentsOf: $0) }
    }

    /// RFC 2392 2: in a URL an id is escaped; and it must end neither an attribute nor CSS.
    private static func appendEscaped(_ id: [UInt8], to text: inout [UInt8]) {
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in id {
            let isLetter = byte.asciiLowercased &- 0x61 < 26 || byte &- 0x30 < 10
            if isLetter || "@.-_~$+=!*".utf8.contains(byte) {
                text.append(byte)
            } else {
                text.append(UInt8(ascii: "%"))
                text.append(digits[Int(byte >> 4)])
                text.append(digits[Int(byte & 15)])
            }
        }
    }
}
