// Writes the texts that waited: into `text_body`, `html_body`, or into attachments.
//
// A list of pieces in the order of the JSON, worked off in steps of bounded size. A text may be in
// both bodies; in `html_body` a plain one is escaped and keeps its blanks and line ends.

import Wire

/// The end of one request after the other: `add`…, then `move` until it says true.
struct HeldOutput {
    private enum Piece {
        case literal(StaticString)
        /// The text with this number, as it is.
        case text(Int)
        /// An HTML text that may name other parts by their places.
        case tied(Int, LocationTies.Scope)
        /// What closes the HTML text before it, because another text follows.
        case endOfMarkup
        /// A plain text in HTML.
        case escaped(Int)
        /// A text that is a file after all.
        case file(Int, EntityHead)
        case endOfFiles
        /// A text that is no file: from its own charset to UTF-8.
        case decoding(Int, EntityTraits)

        /// The text that it writes into a body.
        var text: Int? {
            switch self {
            case .text(let number), .tied(let number, _), .escaped(let number): number
            case .literal, .endOfMarkup, .file, .endOfFiles, .decoding: nil
            }
        }
    }

    private let held: HeldParts
    private let scratch: MapperScratch
    private let sink: JSONSink
    private var pieces: [Piece] = []
    private var index = 0
    /// Bytes of the current text that are moved.
    private var offset = 0
    private var escaper = JSONEscaper(lineEnds: .lineFeed)
    private var html = HTMLEscaper()
    private var markup = OpenMarkup()
    private var ties = LocationTies()
    /// The current text with the ids of parts in place of their places; empty before it is made.
    private var tiedText: [UInt8] = []
    /// Texts whose invalid characters are counted.
    private var counted: Set<Int> = []

    /// A longer HTML text is not changed, because it has to be in memory for that.
    static let tiedBytesMax = HeldParts.memoryBytesMax

    /// Bytes of text that are still to be moved.
    private(set) var byteCount = 0

    init(held: HeldParts, scratch: MapperScratch, sink: JSONSink) {
        self.held = held
        self.scratch = scratch
        self.sink = sink
    }

    /// Forgets everything.
    mutating func begin() {
        guard !pieces.isEmpty else { return }
        pieces.removeAll(keepingCapacity: true)
        counted.removeAll(keepingCapacity: true)
        markup = OpenMarkup()
        ties = LocationTies()
        tiedText = []
        index = 0
        offset = 0
        byteCount = 0
    }

    /// `text_body` of these plain texts, a line end between each two.
    mutating func addText(_ numbers: [Int]) {
        guard !numbers.isEmpty else { return }
        pieces.append(.literal(",\"text_body\":\""))
        for (place, number) in numbers.enumerated() {
            if place > 0 { pieces.append(.literal("\\n")) }
            pieces.append(.text(number))
            byteCount += held.byteCount(of: number)
        }
        pieces.append(.literal("\""))
    }

    /// `html_body` of these texts.
    /// - Parameters:
    ///   - ties: of parts that they name by their places, which is changed in them.
    ///   - scopes: of HTML texts beside such parts.
    ///   - isHTML: whether the text with a number is HTML.
    mutating func addHTML(
        _ numbers: [Int], ties: LocationTies = LocationTies(),
        _ scopes: [(number: Int, scope: LocationTies.Scope)] = [], isHTML: (Int) -> Bool
    ) {
        self.ties = ties
        guard !numbers.isEmpty else { return }
        pieces.append(.literal(",\"html_body\":\""))
        for (place, number) in numbers.enumerated() {
            if !ties.isEmpty, isHTML(number), held.byteCount(of: number) <= Self.tiedBytesMax {
                let scope = scopes.first { $0.number == number }?.scope
                pieces.append(.tied(number, scope ?? .none))
            } else {
                pieces.append(isHTML(number) ? .text(number) : .escaped(number))
            }
            if isHTML(number), place + 1 < numbers.count { pieces.append(.endOfMarkup) }
            byteCount += held.byteCount(of: number)
        }
        pieces.append(.literal("\""))
    }

    /// Texts that are files; before any body.
    mutating func addFiles(_ files: [(number: Int, head: EntityHead)]) {
        for (number, head) in files {
            pieces.append(.file(number, head))
            byteCount += held.byteCount(of: number)
        }
        pieces.append(.endOfFiles)
    }

    /// A text that waits in its own charset, and is shown; before any body.
    mutating func addDecoding(_ number: Int, _ leaf: EntityTraits) {
        pieces.append(.decoding(number, leaf))
        byteCount += held.byteCount(of: number)
    }

    /// `text_body` of a message without any text.
    mutating func addSubstitute() { pieces.append(.literal(",\"text_body\":\"\\n\"")) }

    /// Writes about `bytes` at most.
    /// - Returns: whether all of it is written; false after a failure or a refusal.
    mutating func move(
        upTo bytes: Int, files: inout AttachmentsWriter, texts: inout TextWriter,
        _ findings: inout Findings
    ) -> Bool {
        var moved = 0
        while index < pieces.count {
            guard moved < bytes, held.failure == nil, findings.refusal == nil else { return false }
            switch pieces[index] {
            case .literal(let text):
                sink.literal(text)
                index += 1
            case .text(let number): moved += moveText(number, isEscaped: false, &findings)
            case .tied(let number, let scope): moved += moveTied(number, scope, &findings)
            case .escaped(let number): moved += moveText(number, isEscaped: true, &findings)
            case .endOfMarkup:
                let sink = sink
                markup.close { sink.literal($0) }
                index += 1
            case .file(let number, let head): moved += moveFile(number, head, &files, &findings)
            case .endOfFiles:
                files.close()
                index += 1
            case .decoding(let number, let leaf):
                moved += decode(number, leaf, &texts, &findings)
            }
        }
        return held.failure == nil
    }

    /// Whether the current text is HTML that another text follows.
    private var isClosed: Bool {
        guard index + 1 < pieces.count, case .endOfMarkup = pieces[index + 1] else { return false }
        return true
    }

    private mutating func moveText(
        _ number: Int, isEscaped: Bool, _ findings: inout Findings
    ) -> Int {
        if offset == 0 {
            escaper = JSONEscaper(lineEnds: .lineFeed)
            html = HTMLEscaper()
            if isEscaped { sink.literal(HTMLEscaper.opening) }
        }
        var region = scratch.decodedRegion
        let count = held.read(number, at: offset, into: &region)
        offset += count
        byteCount -= count
        if isClosed { markup.feed(region.bytes) }
        let written = isEscaped ? writeEscaped(region.bytes) : write(region.bytes)
        guard offset == held.byteCount(of: number) else { return written }
        let sink = sink
        sink.drive { escaper.finish(into: &$0) }
        if isEscaped { sink.literal(HTMLEscaper.closing) }
        if counted.insert(number).inserted {
            findings.count(.charactersReplaced, escaper.replacedCount)
        }
        offset = 0
        index += 1
        return written
    }

    private mutating func moveTied(
        _ number: Int, _ scope: LocationTies.Scope, _ findings: inout Findings
    ) -> Int {
        if offset == 0 {
            escaper = JSONEscaper(lineEnds: .lineFeed)
            let text = wholeText(number)
            tiedText = ties.tied(text.span, in: scope)
            byteCount += tiedText.count - text.count
        }
        let end = min(offset + Self.tiedStepBytes, tiedText.count)
        let text = tiedText
        if isClosed { markup.feed(text.span.extracting(offset..<end)) }
        let written = write(text.span.extracting(offset..<end))
        offset = end
        byteCount -= written
        guard offset == text.count else { return written }
        finishText(number, &findings)
        tiedText = []
        return written
    }

    private static let tiedStepBytes = 8_192

    /// A complete text that fits into memory; a part of it after a failure.
    private func wholeText(_ number: Int) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(held.byteCount(of: number))
        while text.count < held.byteCount(of: number) {
            var region = scratch.decodedRegion
            guard held.read(number, at: text.count, into: &region) > 0 else { break }
            region.bytes.withUnsafeBufferPointer { text.append(contentsOf: $0) }
        }
        return text
    }

    /// The current text is all written, but for what its escaper keeps.
    private mutating func finishText(_ number: Int, _ findings: inout Findings) {
        let sink = sink
        sink.drive { escaper.finish(into: &$0) }
        if counted.insert(number).inserted {
            findings.count(.charactersReplaced, escaper.replacedCount)
        }
        offset = 0
        index += 1
    }

    private mutating func writeEscaped(_ bytes: Bytes) -> Int {
        var taken = 0
        var written = 0
        while taken < bytes.count {
            var region = scratch.convertedRegion
            taken += html.feed(bytes.extracting(taken...), into: &region)
            written += write(region.bytes)
        }
        return written
    }

    private mutating func write(_ bytes: Bytes) -> Int {
        guard bytes.count > 0 else { return 0 }
        var taken = 0
        sink.drive { region in
            taken += escaper.feed(bytes.extracting(taken...), into: &region)
            return taken == bytes.count
        }
        return bytes.count
    }

    private mutating func moveFile(
        _ number: Int, _ head: EntityHead, _ files: inout AttachmentsWriter,
        _ findings: inout Findings
    ) -> Int {
        if offset == 0 { files.startDecoded(head) }
        var region = scratch.convertedRegion
        let count = held.read(number, at: offset, into: &region)
        offset += count
        byteCount -= count
        files.feed(region.bytes, &findings)
        guard offset == held.byteCount(of: number) else { return count }
        files.finish(&findings)
        offset = 0
        index += 1
        return count
    }

    private mutating func decode(
        _ number: Int, _ leaf: EntityTraits, _ texts: inout TextWriter,
        _ findings: inout Findings
    ) -> Int {
        if offset == 0 {
            var traits = leaf
            traits.encoding = .identity
            texts.beginHeld(traits)
        }
        var region = scratch.decodedRegion
        let count = held.read(number, at: offset, into: &region)
        offset += count
        byteCount -= count
        texts.feed(region.bytes)
        guard offset == held.byteCount(of: number) else { return count }
        if case .held = texts.finish(&findings) {
            held.moveLast(to: number)
            let more = held.byteCount(of: number) - offset
            byteCount += more * pieces[index...].count { $0.text == number }
        }
        offset = 0
        index += 1
        return count
    }
}
