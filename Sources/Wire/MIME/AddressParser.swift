// Address lists: From, To, Cc and the like. RFC 5322 3.4 and 4.4, RFC 6532.
//
// Promises: linear time, no recursion, a bounded number of tokens. Groups are flattened and their
// names dropped; routes are dropped; a comment is the display name if there is no other. Tolerated:
// `;` between mailboxes, dots and `@` in display names, missing commas, names without `<…>` around
// the address, unclosed quotes, comments and brackets, empty entries, encoded words anywhere. An
// entry whose address is in encoded words (Go programs and older mailers encode "Name <address>" as
// one) is decoded first and then read; only that allocates.
// No text that is written has a `=?`, which a reader would take for an encoded word.

import Glibc

/// One mailbox of an address list. The texts, decoded UTF-8 without controls, are in the region
/// that the parser wrote them to: `output.bytes.extracting(mailbox.address)`.
package struct Mailbox2822: Equatable, Sendable {
    /// Empty when the mailbox has none.
    package var displayName: Range<Int>
    /// Empty only with `keepsNames`. The addr-spec as it is sent: without comments, route and folding, quoted if needed.
    package var address: Range<Int>
}

/// Pulls the mailboxes out of an address list, one per call.
package struct AddressParser: Sendable {
    /// A list of more tokens than this is refused.
    package static let tokensMax = 10_000

    package enum Verdict: Equatable, Sendable {
        case mailbox(Mailbox2822)
        /// The list is used up.
        case end
        /// The list holds more than `tokensMax` tokens; the mailboxes before stay valid.
        case tooManyTokens
    }

    private var scanner = AddressScanner()
    private var tokens = 0
    /// An entry that was encoded, decoded: its mailboxes come next. Empty when there is none.
    private var decoded: [UInt8] = []
    private var decodedScanner = AddressScanner()
    private var decodedCount = 0
    private let keepsNames: Bool

    /// - Parameter keepsNames: an entry without an addr-spec that has a display name is a mailbox
    ///   with an empty address, and counted as malformed all the same.
    package init(keepsNames: Bool = false) { self.keepsNames = keepsNames }

    /// The next mailbox of the list.
    /// - Parameters:
    ///   - value: the whole list, with its folding; the same bytes at every call.
    ///   - output: where the texts are written, after what is there. One mailbox needs at most 4 ×
    ///     `value.count` + 64 bytes; the caller truncates it between calls.
    package mutating func next(
        _ value: Bytes, charsets: CharsetCache, into output: inout Region,
        losses: inout DecodeLosses
    ) -> Verdict {
        while true {
            if !decoded.isEmpty, let verdict = nextDecoded(charsets, into: &output, &losses) {
                return verdict
            }
            if tokens > Self.tokensMax { return .tooManyTokens }
            var entry = AddressEntry()
            guard Self.read(&entry, value, &scanner, &tokens) else {
                return tokens > Self.tokensMax ? .tooManyTokens : .end
            }
            if let mailbox = write(entry, value, charsets, into: &output, &losses) {
                return .mailbox(mailbox)
            }
            if beginDecoded(entry, value, charsets, &losses) { continue }
            losses.malformedAddresses += 1
            if keepsNames, let mailbox = writeName(entry, value, charsets, into: &output, &losses) {
                return .mailbox(mailbox)
            }
        }
    }

    /// Reads the next entry that is not empty; false at the end, and when there are too many tokens.
    private static func read(
        _ entry: inout AddressEntry, _ value: Bytes, _ scanner: inout AddressScanner,
        _ tokens: inout Int
    ) -> Bool {
        entry.split(before: scanner.splitEnd)
        var begin = (offset: scanner.offset, tokens: tokens)
        while tokens <= tokensMax {
            guard let token = scanner.next(value) else {
                guard entry.hasSecondAddress else { return !entry.isEmpty }
                split(&entry, &scanner, from: begin.offset)
                tokens = begin.tokens
                continue
            }
            tokens += 1
            switch entry.take(token, value) {
            case .more: continue
            case .again: scanner.goBack(to: entry.end)
            case .complete:
                if entry.hasSecondAddress {
                    split(&entry, &scanner, from: begin.offset)
                    tokens = begin.tokens
                    continue
                }
            }
            if !entry.isEmpty { return true }
            entry.clear()
            begin = (scanner.offset, tokens)
        }
        return false
    }

    /// Reads an entry once more, as several: commas are missing between addresses without brackets.
    /// Each byte is read so at most once.
    private static func split(
        _ entry: inout AddressEntry, _ scanner: inout AddressScanner, from begin: Int
    ) {
        scanner.split(from: begin)
        entry.clear()
        entry.split(before: scanner.splitEnd)
    }

    /// Writes the texts of an entry; nil when it has no valid addr-spec.
    private func write(
        _ entry: AddressEntry, _ value: Bytes, _ charsets: CharsetCache,
        into output: inout Region, _ losses: inout DecodeLosses
    ) -> Mailbox2822? {
        let begin = output.count
        guard let source = entry.address,
            AddressSpec.write(value, source, charsets, into: &output, &losses)
                || entry.hasAngle
                    && AddressSpec.writeEncoded(value, source, charsets, into: &output, &losses)
        else {
            output.truncate(to: begin)
            return nil
        }
        let address = begin..<output.count
        let name = Self.writeName(
            entry.displayNames(value), value, charsets, into: &output, &losses)
        return Mailbox2822(displayName: name, address: address)
    }

    /// Writes the first name that is not empty, after what is there.
    private static func writeName(
        _ sources: [3 of DisplayName], _ value: Bytes, _ charsets: CharsetCache,
        into output: inout Region, _ losses: inout DecodeLosses
    ) -> Range<Int> {
        var name = output.count..<output.count
        for i in sources.indices where name.isEmpty && !sources[i].range.isEmpty {
            name = DisplayName.write(value, sources[i], charsets, into: &output, &losses)
        }
        return name
    }

    /// The display name of an entry without an address; nil when it has none.
    private func writeName(
        _ entry: AddressEntry, _ value: Bytes, _ charsets: CharsetCache,
        into output: inout Region, _ losses: inout DecodeLosses
    ) -> Mailbox2822? {
        let name = Self.writeName(
            entry.namesWithoutAddress(value), value, charsets, into: &output, &losses)
        return name.isEmpty
            ? nil : Mailbox2822(displayName: name, address: name.upperBound..<name.upperBound)
    }
}

// MARK: - Entries in encoded words

extension AddressParser {
    /// Decodes an entry whose address may be in its encoded words; false when it has none.
    private mutating func beginDecoded(
        _ entry: AddressEntry, _ value: Bytes, _ charsets: CharsetCache,
        _ losses: inout DecodeLosses
    ) -> Bool {
        guard entry.hasEncodedWords else { return false }
        // What is lost is counted when the texts are written.
        var uncounted = DecodeLosses()
        let text = EncodedWord.decoded(
            value.extracting(entry.encodedText(value)), charsets: charsets, losses: &uncounted)
        guard text.contains(0x40) else { return false }
        decoded = text
        decodedScanner = AddressScanner()
        decodedCount = 0
        losses.replacedCharacters += uncounted.replacedCharacters
        return true
    }

    /// The next mailbox of the decoded entry; nil when it has no more.
    private mutating func nextDecoded(
        _ charsets: CharsetCache, into output: inout Region, _ losses: inout DecodeLosses
    ) -> Verdict? {
        let text = decoded
        while true {
            var entry = AddressEntry(isDecoded: true)
            guard Self.read(&entry, text.span, &decodedScanner, &tokens) else { break }
            guard let mailbox = write(entry, text.span, charsets, into: &output, &losses) else {
                continue
            }
            decodedCount += 1
            losses.encodedAddresses += 1
            return .mailbox(mailbox)
        }
        decoded = []
        if decodedCount == 0 { losses.malformedAddresses += 1 }
        return nil
    }
}

// MARK: - Writing and comparing mailboxes (RFC 5322 3.4, RFC 5321 2.4)

extension AddressParser {
    /// Writes `Name <addr>` (name quoted where RFC 5322 needs it, raw UTF-8) or `addr`. Both texts
    /// are a mailbox's, copied out of its region or in another region.
    ///
    /// Needs 2 × name + address + 5 bytes of room; text that does not fit is left out from the end.
    package static func format(
        displayName: Bytes, address: Bytes, into output: inout Region
    ) {
        guard !displayName.isEmpty else {
            output.append(address)
            return
        }
        if isPhrase(displayName) {
            output.append(displayName)
        } else {
            _ = output.append("\"")
            for i in displayName.indices where output.room > 1 {
                let byte = displayName[i]
                if byte == 0x22 || byte == 0x5C { output.append(0x5C) }
                output.append(byte)
            }
            _ = output.append("\"")
        }
        _ = output.append(" <")
        output.append(address)
        _ = output.append(">")
    }

    /// Whether two addr-specs name the same mailbox: domains without case; local parts exactly or,
    /// when `ignoringLocalCase`, without case.
    ///
    /// Quoting that changes nothing is ignored: `"a.b"@c` is `a.b@c`. Only ASCII letters have a
    /// case here; internationalised domains are compared as they are written.
    package static func same(_ a: Bytes, _ b: Bytes, ignoringLocalCase: Bool) -> Bool {
        if isIdentical(a, b) { return true }
        let atA = domainMark(a) ?? a.count
        let atB = domainMark(b) ?? b.count
        guard a.count - atA == b.count - atB else { return false }
        for k in 0..<a.count - atA
        where a[atA + k].asciiLowercased != b[atB + k].asciiLowercased {
            return false
        }
        var left = LocalPart(end: atA)
        var right = LocalPart(end: atB)
        while true {
            let one = left.next(a)
            let other = right.next(b)
            guard let one, let other else { return one == nil && other == nil }
            let isSame =
                one == other || ignoringLocalCase && one.asciiLowercased == other.asciiLowercased
            if !isSame { return false }
        }
    }

    private static func isIdentical(_ a: Bytes, _ b: Bytes) -> Bool {
        guard a.count == b.count else { return false }
        return a.withUnsafeBufferPointer { one in
            b.withUnsafeBufferPointer { other in
                guard let start = one.baseAddress, let otherStart = other.baseAddress else {
                    return true
                }
                return memcmp(start, otherStart, one.count) == 0
            }
        }
    }

    /// The offset of the `@` between local part and domain, the last one; nil when there is none.
    static func domainMark(_ address: Bytes) -> Int? {
        var i = address.count
        while i > 0 {
            i -= 1
            if address[i] == 0x40 { return i }
            if address[i] == 0x22 { return nil }
        }
        return nil
    }

    /// Atoms with single spaces between them need no quotes. A `=?` does: a reader would take it
    /// for an encoded word.
    private static func isPhrase(_ name: Bytes) -> Bool {
        var wasSpace = true
        for i in name.indices {
            let byte = name[i]
            if byte == 0x20 {
                if wasSpace { return false }
                wasSpace = true
            } else {
                guard byte.isAtext else { return false }
                if byte == 0x3F, i > 0, name[i - 1] == 0x3D { return false }
                wasSpace = false
            }
        }
        return !wasSpace
    }
}

/// The bytes of a local part without its quotes and backslashes.
private struct LocalPart {
    private var offset = 0
    private let end: Int

    init(end: Int) { self.end = end }

    mutating func next(_ address: Bytes) -> UInt8? {
        while offset < end, address[offset] == 0x22 { offset += 1 }
        if offset < end, address[offset] == 0x5C { offset += 1 }
        guard offset < end else { return nil }
        offset += 1
        return address[offset - 1]
    }
}
