// Which charset a label means: an index of all labels. Those of UTF-8, ASCII and Latin-1, which
// have fast paths of our own, are here; the others are in `CharsetTable`.
//
// Labels are compared without punctuation and without case. A label that is unknown as it stands is
// tried without the damage that is seen in mail: another parameter that quotes drew into it ("utf-8;
// format=flowed"), an escape ("_iso-2022-jp$ESC"), words after it, `charset=` or an `x` before it. A
// label is never passed on to iconv.

enum CharsetLabels {
    /// A label with more letters and digits than this is unknown.
    private static let labelBytesMax = 40

    private static let utf8: StaticString = """
        utf8 unicode11utf8 unicode20utf8 xunicode20utf8 utf8mb4 utf8mb3 cp65001 csutf8 utf u8 utf8n \
        utf8sig utf8bom utf8nobom unicodeutf8 iso10646utf8
        """
    private static let ascii: StaticString = """
        usascii ascii ansix341968 ansix341986 us isoir6 iso646us iso646irv1991 iso646irv csascii \
        ibm367 cp367 cp20127 646 iso646 ansix34 asciius
        """
    /// What says that nobody knows the charset.
    private static let undeclared: StaticString = """
        7bit 8bit unknown8bit unknown xunknown default binary none x8bit undefined null
        """
    private static let latin1: StaticString = """
        iso88591 windows1252 latin1 l1 cp1252 cp819 csisolatin1 ibm819 isoir100 iso885911987 \
        xcp1252 win1252 ms1252 cswindows1252 winlatin1 ansi isolatin1 xansi iso885911998 1252 88591 \
        cp28591 iso88591windows31latin1 iso88591windows30latin1 cswindows31latin1 windowslatin1 \
        latin ansi1252
        """

    /// The charset of a trimmed label. Makes no copy and no string.
    static func kind(of label: Bytes) -> Charset.Kind {
        let whole = exact(label)
        return whole == .unknown ? repaired(label) : whole
    }

    /// The charset of a label that is one but for its case and punctuation.
    private static func exact(_ label: Bytes) -> Charset.Kind {
        var hash = LabelHash()
        var length = 0
        for i in label.indices {
            switch label[i].asciiLowercased {
            case let byte where byte.isAlphanumeric:
                hash.add(byte)
                length += 1
            case 0x2D, 0x5F, 0x2E, 0x3A, 0x2B, 0x28, 0x29, 0x20: continue  // - _ . : + ( )
            default: return .unknown
            }
            if length > labelBytesMax { return .unknown }
        }
        return length == 0 ? .unknown : lookUp(hash.value)
    }

    /// Tries what is left of a label without its damage. A slash is none: what is meant by it
    /// ("//TRANSLIT") is not a charset.
    private static func repaired(_ label: Bytes) -> Charset.Kind {
        guard label.firstIndex(of: UInt8(ascii: "/")) == nil, !label.hasControlBytes else {
            return .unknown
        }
        var start = 0
        while start < label.count, !label[start].isAlphanumeric {
            guard isLabelByte(label[start]) || label[start] == 0x22 || label[start] == 0x27 else {
                return .unknown
            }
            start += 1
        }
        if label.extracting(start..<label.count).startsIgnoringCase("charset=") {
            start += 8
            while start < label.count, !label[start].isAlphanumeric { start += 1 }
        }
        // Up to a byte that no label has, and if that is unknown, to its first blank.
        var end = start
        while end < label.count, isLabelByte(label[end]) { end += 1 }
        let name = label.extracting(start..<end)
        let words = prefixed(name)
        if words != .unknown { return words }
        guard let blank = name.firstBlank(from: 0) else { return .unknown }
        return prefixed(name.extracting(0..<blank))
    }

    /// The charset of `name`, or of what comes after its first `x-`.
    private static func prefixed(_ name: Bytes) -> Charset.Kind {
        let kind = exact(name)
        guard kind == .unknown, name.startsIgnoringCase("x-") || name.startsIgnoringCase("x_")
        else { return kind }
        return exact(name.extracting(2..<name.count))
    }

    private static func isLabelByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x2D, 0x5F, 0x2E, 0x3A, 0x2B, 0x28, 0x29, 0x20: true
        default: byte.isAlphanumeric
        }
    }

    private static func lookUp(_ hash: UInt64) -> Charset.Kind {
        var low = 0
        var high = index.count
        while low < high {
            let middle = (low + high) / 2
            if index[middle].hash < hash { low = middle + 1 } else { high = middle }
        }
        return low < index.count && index[low].hash == hash ? index[low].kind : .unknown
    }

    private struct Entry: Sendable {
        var hash: UInt64
        var kind: Charset.Kind
    }

    /// All labels by hash, made at the first look-up of the process. The hash has 64 bits. A sender
    /// that constructs a colliding label only gets a charset that it could have named.
    private static let index: [Entry] = {
        var entries: [Entry] = []
        add(utf8, .utf8, to: &entries)
        add(ascii, .usASCII, to: &entries)
        add(undeclared, .undeclared, to: &entries)
        add(latin1, .latin1AsWindows1252, to: &entries)
        for (i, row) in CharsetTable.rows.enumerated() {
            add(row.labels, .listed(index: i), to: &entries)
        }
        entries.sort { $0.hash < $1.hash }
        for i in entries.indices.dropFirst() {
            precondition(entries[i].hash != entries[i - 1].hash, "a label is in two rows")
        }
        return entries
    }()

    private static func add(
        _ labels: StaticString, _ kind: Charset.Kind, to entries: inout [Entry]
    ) {
        labels.withUTF8Buffer { text in
            for label in text.split(separator: 0x20) {
                var hash = LabelHash()
                for byte in label { hash.add(byte) }
                entries.append(Entry(hash: hash.value, kind: kind))
            }
        }
    }
}

/// FNV-1a, 64 bits.
private struct LabelHash {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
}
