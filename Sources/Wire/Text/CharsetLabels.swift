// Which charset a label means: an index of all labels. Those of UTF-8, ASCII and Latin-1, which
// have fast paths of our own, are here; the others are in `CharsetTable`.
//
// Labels are compared without punctuation and without case. A label is never passed on to iconv.

enum CharsetLabels {
    /// A label with more letters and digits than this is unknown.
    private static let labelBytesMax = 40

    private static let utf8: StaticString =
        "utf8 unicode11utf8 unicode20utf8 xunicode20utf8 utf8mb4 cp65001 csutf8 utf u8 utf8n"
    private static let ascii: StaticString = """
        usascii ascii ansix341968 ansix341986 us isoir6 iso646us iso646irv1991 iso646irv csascii \
        ibm367 cp367 646 7bit 8bit unknown8bit unknown xunknown default binary none
        """
    private static let latin1: StaticString = """
        iso88591 windows1252 latin1 l1 cp1252 cp819 csisolatin1 ibm819 isoir100 iso885911987 \
        xcp1252 win1252 ms1252 cswindows1252 winlatin1 ansi isolatin1 xansi iso885911998 1252 88591
        """

    /// The charset of a trimmed label. Makes no copy and no string.
    static func kind(of label: Bytes) -> Charset.Kind {
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
