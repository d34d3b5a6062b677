// Address lists: From, To, Cc and the like. RFC 5322 3.4 and 4.4, RFC 6532.
//
// Promises: linear time, no recursion, no allocation, a bounded number of tokens. Groups are
// flattened and their names dropped, routes dropped, comments used as a display name where there
// is no other. Tolerated: `;` between mailboxes, dots and `@` in display names, missing commas
// between `<…>`, names without `<…>` around the address, unclosed quotes, comments and brackets,
// empty entries, encoded words anywhere but in the address itself, where they are never decoded:
// an address must not change its meaning between us and whoever checks it.

/// One mailbox of an address list. The texts, decoded UTF-8 without controls, lie in the region
/// that the parser wrote them to: `output.bytes.extracting(mailbox.address)`.
package struct Mailbox2822: Equatable, Sendable {
    /// Empty when there is none.
    package var displayName: Range<Int>
    /// addr-spec as it is to be sent: comments, route and folding off, quoting kept if needed.
    package var address: Range<Int>
}

/// Pulls the mailboxes out of an address list, one a call. RFC 5322 3.4 and 4.4 (groups
/// flattened), RFC 6532, tolerant of what is seen in the wild. Allocates nothing.
package struct AddressParser: Sendable {
    /// A list of more tokens than this is refused.
    package static let tokensMax = 10_000

    package enum Verdict: Equatable, Sendable {
        case mailbox(Mailbox2822)
        /// The list is used up.
        case end
        /// The list holds more than `tokensMax` tokens; what came before stands.
        case tooManyTokens
    }

    private var scanner = AddressScanner()
    private var tokens = 0

    package init() {}

    /// The next mailbox of the list.
    /// - Parameters:
    ///   - value: the whole list, folding inside; the same bytes at every call.
    ///   - output: where the texts are written, behind what is there. One mailbox needs at most
    ///     4 × `value.count` + 64 bytes; the caller truncates it between calls.
    package mutating func next(
        _ value: Bytes, charsets: CharsetCache, into output: inout Region,
        losses: inout DecodeLosses
    ) -> Verdict {
        var entry = AddressEntry()
        while true {
            if tokens > Self.tokensMax { return .tooManyTokens }
            guard let token = scanner.next(value) else {
                if entry.isEmpty { return .end }
                if let mailbox = write(entry, value, charsets, into: &output, &losses) {
                    return .mailbox(mailbox)
                }
                entry = AddressEntry()
                continue
            }
            tokens += 1
            switch entry.take(token, value) {
            case .more: break
            case .again:
                scanner.goBack(to: entry.end)
                fallthrough
            case .complete:
                let complete = entry
                entry = AddressEntry()
                if complete.isEmpty { continue }
                if let mailbox = write(complete, value, charsets, into: &output, &losses) {
                    return .mailbox(mailbox)
                }
            }
        }
    }

    /// Writes what an entry's ranges hold; nil and counted when that is no addr-spec.
    private func write(
        _ entry: AddressEntry, _ value: Bytes, _ charsets: CharsetCache,
        into output: inout Region, _ losses: inout DecodeLosses
    ) -> Mailbox2822? {
        let begin = output.count
        guard let source = entry.address,
            AddressSpec.write(value, source, charsets, into: &output, &losses)
        else {
            output.truncate(to: begin)
            losses.malformedAddresses += 1
            return nil
        }
        let address = begin..<output.count
        var name = address.upperBound..<address.upperBound
        let sources = entry.displayNames(value)
        for i in sources.indices where name.isEmpty && !sources[i].range.isEmpty {
            DisplayName.write(value, sources[i], charsets, into: &output, &losses)
            name = address.upperBound..<output.count
        }
        return Mailbox2822(displayName: name, address: address)
    }
}

/// The ranges of one entry of a list, gathered token by token.
struct AddressEntry {
    enum Progress {
        case more
        /// The entry is whole.
        case complete
        /// The entry is whole, and what lies behind `end` belongs to the next one.
        case again
    }

    /// Where the entry's last token ended.
    private(set) var end = 0
    /// The tokens in front of `<`, or all of them as long as there is none.
    private var phrase = 0..<0
    /// Between `<` and `>`.
    private var angle: Range<Int>?
    /// The words behind `>`.
    private var tail = 0..<0
    /// The content of the first comment that is not empty.
    private var comment = 0..<0
    /// The first run of words joined by `@` or dots that has an `@`.
    private var bare: Range<Int>?
    private var run = 0..<0
    private var runHasAt = false
    private var isJoinedToNext = false
    private(set) var isEmpty = true

    /// Where the addr-spec is written; nil when the entry has none.
    var address: Range<Int>? { angle ?? bare }

    /// Where a display name may be, best first.
    func displayNames(_ value: Bytes) -> [3 of DisplayName] {
        let comment = DisplayName(range: comment, isComment: true)
        if angle != nil {
            return [
                DisplayName(range: phrase, isComment: false),
                DisplayName(range: tail, isComment: false), comment,
            ]
        }
        var frontEnd = max(phrase.lowerBound, bare?.lowerBound ?? 0)
        while frontEnd > phrase.lowerBound, Self.opens(value[frontEnd - 1]) { frontEnd -= 1 }
        let front = phrase.lowerBound..<frontEnd
        let behind = min(bare?.upperBound ?? 0, phrase.upperBound)..<phrase.upperBound
        return [
            DisplayName(range: front, isComment: false), comment,
            DisplayName(range: behind, isComment: false),
        ]
    }

    mutating func take(_ token: AddressScanner.Token, _ value: Bytes) -> Progress {
        switch token {
        case .separator: return .complete
        case .groupStart:
            if address != nil { return .complete }
            // What came before is the group's name, or "mailto".
            self = AddressEntry()
            return .more
        case .comment(let range):
            let content = value.trimmed(range.lowerBound + 1..<range.upperBound - 1)
            if comment.isEmpty { comment = content }
        case .angle(let range):
            if angle != nil { return .again }
            angle = value.trimmed(range.lowerBound + 1..<range.upperBound)
            end = range.upperBound
            isEmpty = false
        case .word(let range), .quoted(let range): takeWord(range, value)
        }
        return .more
    }

    private mutating func takeWord(_ range: Range<Int>, _ value: Bytes) {
        isEmpty = false
        if angle != nil {
            tail = tail.isEmpty ? range : tail.lowerBound..<range.upperBound
            return
        }
        phrase = phrase.isEmpty ? range : phrase.lowerBound..<range.upperBound
        end = range.upperBound
        guard bare == nil || isOpen(value, range) else { return }
        let isJoined = !run.isEmpty && isOpen(value, range)
        let isQuoted = value[range.lowerBound] == 0x22
        let hasAt = !isQuoted && value.extracting(range).firstIndex(of: 0x40) != nil
        run = isJoined ? run.lowerBound..<range.upperBound : range
        runHasAt = isJoined ? runHasAt || hasAt : hasAt
        isJoinedToNext = !isQuoted && Self.joins(value[range.upperBound - 1])
        if runHasAt { bare = run }
    }

    /// Whether the word `next` goes on with the current run: an `@` or a dot stands between, or
    /// they touch.
    private func isOpen(_ value: Bytes, _ next: Range<Int>) -> Bool {
        isJoinedToNext || Self.joins(value[next.lowerBound]) || run.upperBound == next.lowerBound
    }

    /// Blanks, and brackets that were not closed behind the address.
    private static func opens(_ byte: UInt8) -> Bool {
        byte.isWhitespace || byte == 0x3C || byte == 0x28 || byte == 0x3E
    }

    private static func joins(_ byte: UInt8) -> Bool { byte == 0x40 || byte == 0x2E }
}
