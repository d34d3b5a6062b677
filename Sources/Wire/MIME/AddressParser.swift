// Address lists: From, To, Cc and the like. RFC 5322 3.4 and 4.4, RFC 6532.
//
// Promises: linear time, no recursion, no allocation, a bounded number of tokens. Groups are
// flattened and their names dropped; routes are dropped; a comment is the display name if there is
// no other. Tolerated: `;` between mailboxes, dots and `@` in display names, missing commas between
// `<…>`, names without `<…>` around the address, unclosed quotes, comments and brackets, empty
// entries, encoded words except in the address. Those in an address are never decoded: it must not
// change its meaning on its way.

import Glibc

/// One mailbox of an address list. The texts, decoded UTF-8 without controls, are in the region
/// that the parser wrote them to: `output.bytes.extracting(mailbox.address)`.
package struct Mailbox2822: Equatable, Sendable {
    /// Empty when the mailbox has none.
    package var displayName: Range<Int>
    /// The addr-spec as it is sent: without comments, route and folding, quoted if needed.
    package var address: Range<Int>
}

/// Pulls the mailboxes out of an address list, one per call. Allocates nothing.
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

    package init() {}

    /// The next mailbox of the list.
    /// - Parameters:
    ///   - value: the whole list, with its folding; the same bytes at every call.
    ///   - output: where the texts are written, after what is there. One mailbox needs at most 4 ×
    ///     `value.count` + 64 bytes; the caller truncates it between calls.
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

    /// Writes the texts of an entry; nil and counted when it has no valid addr-spec.
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
