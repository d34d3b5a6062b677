// Reads a reverse-path or forward-path (RFC 5321 4.1.2, RFC 6531 3.3).
//
// Checks the form of the mailbox byte by byte, so that a quoted local part may hold blanks, `>` and
// `@`. Whether the mailbox can exist is for the API to decide. Bytes beyond ASCII must be valid
// UTF-8, because the address goes into JSON and must not change there. Accepted although the RFC
// does not allow it: dots at the ends of a local part and next to each other, which many mailboxes
// of Japanese carriers have.

/// Reads one path and stops after it.
struct PathScanner: ~Escapable {
    /// A path over this is refused. RFC 5321 4.5.3.1 allows 256; local parts of 64 and domains of
    /// 255 bytes make 320.
    static let pathBytesMax = 320

    /// Where the scanner is: after the path, once it was read.
    private(set) var offset: Int

    private let line: Bytes
    private let end: Int

    @_lifetime(copy line)
    init(_ line: Bytes, from start: Int, to end: Int) {
        self.line = line
        self.end = end
        offset = start
    }

    /// The mailbox without angle brackets and source route; nil when it is malformed, too long or
    /// not followed by a blank or the end. If `isNullAllowed`, `<>` is the empty range.
    @_lifetime(self: copy self)
    mutating func path(isNullAllowed: Bool) -> Range<Int>? {
        let isBracketed = take(0x3C)
        if isBracketed && isNullAllowed && take(0x3E) {
            return isAtBlank ? offset - 1..<offset - 1 : nil
        }
        if isBracketed && peek == 0x40 && !sourceRoute() { return nil }
        let start = offset
        guard localPart(), take(0x40), domain() else { return nil }
        let mailbox = start..<offset
        if isBracketed && !take(0x3E) { return nil }
        guard mailbox.count <= Self.pathBytesMax, isAtBlank,
            line.extracting(mailbox).isValidUTF8
        else { return nil }
        return mailbox
    }

    private var peek: UInt8? { offset < end ? line[offset] : nil }

    private var isAtBlank: Bool { peek?.isBlank ?? true }

    @_lifetime(self: copy self)
    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        offset += 1
        return true
    }

    /// `@one.example,@two.example:`, which is read and ignored (RFC 5321 4.1.1.3, appendix C).
    @_lifetime(self: copy self)
    private mutating func sourceRoute() -> Bool {
        repeat {
            guard take(0x40), domain() else { return false }
        } while take(0x2C)
        return take(0x3A)
    }

    /// `Dot-string / Quoted-string`.
    @_lifetime(self: copy self)
    private mutating func localPart() -> Bool {
        guard take(0x22) else { return dotText() }
        while let byte = peek, byte.isQuotable {
            offset += 1
            if byte == 0x22 { return true }
            if byte == 0x5C {
                guard let quoted = peek, quoted.isQuotable else { return false }
                offset += 1
            }
        }
        return false
    }

    /// Text and dots in any order, but not only dots.
    @_lifetime(self: copy self)
    private mutating func dotText() -> Bool {
        var isText = false
        while let byte = peek, byte == 0x2E || byte.isAtext {
            isText = isText || byte != 0x2E
            offset += 1
        }
        return isText
    }

    /// Whether the path is `<Postmaster>`, the mailbox of the people that run this host (RFC 5321
    /// 4.1.1.3).
    var isPostmaster: Bool {
        let name: StaticString = "<postmaster>"
        guard line.extracting(offset..<end).startsIgnoringCase(name) else { return false }
        let next = offset + name.utf8CodeUnitCount
        return next == end || line[next].isBlank
    }

    /// `Domain / address-literal`; underscores are in use and are accepted.
    @_lifetime(self: copy self)
    private mutating func domain() -> Bool {
        guard take(0x5B) else { return labels() }
        let start = offset
        while let byte = peek, byte.isLiteralText { offset += 1 }
        return offset > start && take(0x5D)
    }

    /// One or more labels, single dots between them.
    @_lifetime(self: copy self)
    private mutating func labels() -> Bool {
        repeat {
            let start = offset
            while let byte = peek, byte.isDomainText { offset += 1 }
            guard offset > start else { return false }
        } while take(0x2E)
        return true
    }
}

extension UInt8 {
    fileprivate var isDomainText: Bool {
        isAlphanumeric || self == 0x2D || self == 0x5F || self >= 0x80
    }

    /// RFC 5321 4.1.2 `qtextSMTP` and `quoted-pairSMTP`, and RFC 6531 3.3: an address holds no
    /// control byte.
    fileprivate var isQuotable: Bool { self >= 0x20 && self != 0x7F }

    /// RFC 5321 4.1.3 `dcontent`: printable ASCII without brackets and backslash.
    fileprivate var isLiteralText: Bool {
        self > 0x20 && self < 0x7F && !(0x5B...0x5D).contains(self)
    }
}
