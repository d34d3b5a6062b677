// Labels of charsets: all of the WHATWG Encoding Standard, those of mail, and refused ones.

import Testing

@testable import Wire

/// A text in a charset, with bytes of 0x80 and more or with shifts, and the labels of the charset.
struct CharsetSample: Sendable {
    var labels: String
    var bytes: [UInt8]
    var text: String
}

/// Every label of the WHATWG Encoding Standard 4.2, and after them those that only mail uses.
let charsetSamples: [CharsetSample] = [
    CharsetSample(
        labels: "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8 UTF_8",
        bytes: "é€😀".bytes, text: "é€😀"),
    CharsetSample(labels: "866 cp866 csibm866 ibm866", bytes: [0x8F, 0xE0], text: "Пр"),
    CharsetSample(
        labels: "csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 "
            + "iso_8859-2:1987 l2 latin2",
        bytes: [0xB1, 0xE6], text: "ąć"),
    CharsetSample(
        labels: "csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 "
            + "iso_8859-3:1988 l3 latin3",
        bytes: [0xE6, 0xF8], text: "ĉĝ"),
    CharsetSample(
        labels: "csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 "
            + "iso_8859-4:1988 l4 latin4",
        bytes: [0xE0, 0xBA], text: "āē"),
    CharsetSample(
        labels: "csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 "
            + "iso_8859-5 iso_8859-5:1988",
        bytes: [0xBF, 0xE0], text: "Пр"),
    CharsetSample(
        labels: "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 "
            + "iso-8859-6-e iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 "
            + "iso_8859-6:1987",
        bytes: [0xE5, 0xD1], text: "مر"),
    CharsetSample(
        labels: "csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 "
            + "iso88597 iso_8859-7 iso_8859-7:1987 sun_eu_greek",
        bytes: [0xE1, 0xE2], text: "αβ"),
    CharsetSample(
        labels: "csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 "
            + "iso8859-8 iso88598 iso_8859-8 iso_8859-8:1988 visual csiso88598i iso-8859-8-i "
            + "logical",
        bytes: [0xF9, 0xEC], text: "של"),
    CharsetSample(
        labels: "csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6",
        bytes: [0xE0, 0xA2], text: "āĒ"),
    CharsetSample(
        labels: "iso-8859-13 iso8859-13 iso885913", bytes: [0xE0, 0xE7], text: "ąē"),
    CharsetSample(labels: "iso-8859-14 iso8859-14 iso885914", bytes: [0xF0], text: "ŵ"),
    CharsetSample(
        labels: "csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9",
        bytes: [0xA4, 0xBD], text: "€œ"),
    CharsetSample(labels: "iso-8859-16", bytes: [0xA4, 0xFE], text: "€ț"),
    CharsetSample(labels: "cskoi8r koi koi8 koi8-r koi8_r", bytes: [0xF0, 0xD2], text: "Пр"),
    CharsetSample(labels: "koi8-ru koi8-u", bytes: [0xA4, 0xAE], text: "єў"),
    CharsetSample(
        labels: "csmacintosh mac macintosh x-mac-roman", bytes: [0x8E, 0xDB], text: "é€"),
    CharsetSample(
        labels: "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874",
        bytes: [0xA1, 0x80], text: "ก€"),
    CharsetSample(
        labels: "cp1250 windows-1250 x-cp1250", bytes: [0x8A, 0x81], text: "Š\u{81}"),
    CharsetSample(labels: "cp1251 windows-1251 x-cp1251", bytes: [0xCF, 0xF0], text: "Пр"),
    CharsetSample(
        labels: "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 "
            + "iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 "
            + "x-cp1252 ANSI_X3.4-1986 cp367 unknown-8bit",
        bytes: [0x80, 0x61, 0xE9], text: "€aé"),
    CharsetSample(labels: "cp1253 windows-1253 x-cp1253", bytes: [0xE1, 0x80], text: "α€"),
    CharsetSample(
        labels: "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 "
            + "iso_8859-9:1989 l5 latin5 windows-1254 x-cp1254",
        bytes: [0xFE, 0x80], text: "ş€"),
    CharsetSample(
        labels: "cp1255 windows-1255 x-cp1255", bytes: [0xE0, 0xC7, 0xE1], text: "א\u{5B7}ב"),
    CharsetSample(labels: "cp1256 windows-1256 x-cp1256", bytes: [0xE3, 0x80], text: "م€"),
    CharsetSample(labels: "cp1257 windows-1257 x-cp1257", bytes: [0xE0, 0x80], text: "ą€"),
    CharsetSample(
        labels: "cp1258 windows-1258 x-cp1258", bytes: [0x61, 0xCC, 0xFE], text: "a\u{300}₫"),
    CharsetSample(
        labels: "x-mac-greek mac-greek cp10006 x-MacGreek",
        bytes: [0xA1, 0xE5, 0xE9, 0xC0, 0x20, 0x9C, 0xCD, 0xFE, 0xDF], text: "Γειά €ΆΰΏ"),
    CharsetSample(
        labels: "x-mac-turkish mac-turkish cp10081 x-MacTurkish",
        bytes: [0xDC, 0xDF, 0x8D, 0x69, 0xDA, 0x8E, 0xC6], text: "İşçiĞé∆"),
    CharsetSample(
        labels: "x-mac-croatian mac-croatian cp10082 x-MacCroatian",
        bytes: [0xA9, 0xF0, 0xC8, 0xE6, 0xBE, 0x8E, 0xB4, 0xDE], text: "ŠđČćžé∆Æ"),
    CharsetSample(
        labels: "x-mac-romanian x-mac-romania cp10010 x-MacRomania",
        bytes: [0xAF, 0xDF, 0xAE, 0xBE, 0x89, 0xC6], text: "ȘțĂăâ∆"),
    CharsetSample(labels: "x-mac-cyrillic x-mac-ukrainian", bytes: [0x80, 0xB6], text: "Аґ"),
    CharsetSample(
        labels: "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk "
            + "gb18030 cp936 euc-cn",
        bytes: [0xD6, 0xD0, 0x80, 0x81, 0x30, 0x81, 0x30, 0x94, 0x39, 0xFC, 0x36],
        text: "中€\u{80}😀"),
    CharsetSample(
        labels: "big5 big5-hkscs cn-big5 csbig5 x-x-big5 cp950",
        bytes: [0xA4, 0xA4, 0x88, 0x62, 0xA4, 0xE5], text: "中\u{CA}\u{304}文"),
    CharsetSample(
        labels: "cseucpkdfmtjapanese euc-jp x-euc-jp cp51932 ujis",
        bytes: [0xC6, 0xFC, 0x8E, 0xB1, 0x8F, 0xB0, 0xA1, 0xAD, 0xA1], text: "日ｱ丂①"),
    CharsetSample(
        labels: "csiso2022jp iso-2022-jp cp50220 cp50221 iso-2022-jp-2 iso-2022-jp-3",
        bytes: "\u{1b}$BF|K\\\u{1b}(Ba\u{1b}(I1\u{1b}(J~\u{1b}$B-!\u{1b}(B".bytes,
        text: "日本aｱ~①"),
    CharsetSample(
        labels: "csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis cp932",
        bytes: [0x93, 0xFA, 0xB1, 0x87, 0x40, 0x95, 0x5C], text: "日ｱ①表"),
    CharsetSample(
        labels: "cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 "
            + "ksc5601 ksc_5601 windows-949 cp949 uhc",
        bytes: [0xC7, 0xD1, 0x81, 0x41], text: "한갂"),
    CharsetSample(
        labels: "csiso2022kr iso-2022-kr",
        bytes: "\u{1b}$)C\u{0e}GQ\u{0f}a\u{0e}1[\u{0f}".bytes, text: "한a글"),
    CharsetSample(
        labels: "hz-gb-2312 hz", bytes: "a~{VPND~}~~b~\nc".bytes, text: "a中文~bc"),
    CharsetSample(
        labels: "iso-2022-cn iso-2022-cn-ext",
        bytes: "\u{1b}$)A\u{0e}VPND\u{0f}a".bytes, text: "中文a"),
    CharsetSample(
        labels: "unicodefffe utf-16be", bytes: [0, 0x61, 0x20, 0xAC, 0xD8, 0x3D, 0xDE, 0x00],
        text: "a€😀"),
    CharsetSample(
        labels: "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le",
        bytes: [0x61, 0, 0xAC, 0x20, 0x3D, 0xD8, 0x00, 0xDE], text: "a€😀"),
    CharsetSample(labels: "x-user-defined", bytes: [0x61, 0x80, 0xFF], text: "a\u{F780}\u{F7FF}"),
    CharsetSample(
        labels: "utf-7 unicode-1-1-utf-7", bytes: "a+IKwAINg93gA-b+-+AGE".bytes, text: "a€ 😀b+a"),
    CharsetSample(
        labels: "utf-32 utf-32be ucs-4", bytes: [0, 1, 0xF6, 0, 0, 0, 0, 0x61], text: "😀a"),
    CharsetSample(labels: "cp437 ibm437", bytes: [0x82, 0xE1], text: "éß"),
    CharsetSample(labels: "cp850 ibm850", bytes: [0x82, 0xD5], text: "éı"),
    CharsetSample(labels: "cp852", bytes: [0xA5], text: "ą"),
    CharsetSample(labels: "viscii", bytes: [0xE1, 0x02], text: "áẲ"),
    CharsetSample(labels: "johab", bytes: [0xD0, 0x65], text: "한"),
    CharsetSample(
        labels: "iso-2022-jp-2",
        bytes: [
            0x1B, 0x24, 0x42, 0x46, 0x7C, 0x39, 0x71, 0x1B, 0x28, 0x42, 0x1B, 0x24, 0x41, 0x45,
            0x35, 0x1B, 0x24, 0x28, 0x43, 0x47, 0x51, 0x1B, 0x28, 0x42, 0x61,
        ], text: "日国诺한a"),
    CharsetSample(
        labels: "iso-2022-jp-3 iso-2022-jp-2004",
        bytes: [
            0x1B, 0x24, 0x42, 0x46, 0x7C, 0x1B, 0x28, 0x42, 0x1B, 0x24, 0x28, 0x50, 0x21, 0x21,
            0x1B, 0x28, 0x42, 0x1B, 0x24, 0x28, 0x51, 0x2D, 0x21, 0x7E, 0x65, 0x1B, 0x28, 0x42,
        ], text: "日𠂉①鷗"),
    CharsetSample(
        labels: "iso-2022-cn",
        bytes: [
            0x1B, 0x24, 0x29, 0x41, 0x0E, 0x59, 0x7D, 0x1B, 0x24, 0x29, 0x47, 0x6B, 0x63, 0x1B,
            0x24, 0x2A, 0x48, 0x1B, 0x4E, 0x22, 0x76, 0x0F, 0x61,
        ], text: "冽際阢a"),
    CharsetSample(
        labels: "euc-jisx0213 euc-jis-2004", bytes: [0xC6, 0xFC, 0x8F, 0xA1, 0xA1, 0xAD, 0xA1],
        text: "日𠂉①"),
    CharsetSample(
        labels: "big5", bytes: [0xA1, 0xE3, 0xA1, 0x45, 0xA4, 0xA4, 0xA2, 0x41, 0xA3, 0xE1],
        text: "～‧中∕€"),
    CharsetSample(
        labels: "euc-kr", bytes: [0xA2, 0xE8, 0xC7, 0xD1, 0xA2, 0xE8, 0x61], text: "㉾한㉾a"),
    CharsetSample(labels: "cp1125 ruscii", bytes: [0xF2, 0xA0], text: "Ґа"),
    CharsetSample(labels: "hp-roman8", bytes: [0xDC, 0xB7], text: "Éñ"),
    CharsetSample(labels: "x-mac-icelandic", bytes: [0xDE, 0x97], text: "Þó"),
    CharsetSample(labels: "euc-tw", bytes: [0xC4, 0xE3], text: "中"),
]

@Suite("Charset labels")
struct CharsetTests {
    private func charset(_ label: String) -> Charset { Charset(label: label.bytes.span) }

    @Test("Every label of the WHATWG standard and of mail decodes its sample")
    func everyLabel() {
        let cache = CharsetCache()
        for sample in charsetSamples {
            for label in sample.labels.split(separator: " ") {
                for name in [String(label), label.uppercased(), " \"\(label)\" "] {
                    #expect(charset(name).kind != .unknown, "\(name)")
                    let found = decodedCharset(name, [sample.bytes], cache: cache)
                    #expect(found.text == sample.text, "\(name)")
                    #expect(found.replaced == 0, "\(name)")
                }
            }
        }
    }

    @Test(
        "Labels with a slash and other oddities are unknown",
        arguments: [
            "", " ", "utf-8/", "//TRANSLIT", "utf-8//IGNORE", "../../x", "utf\u{0}8", "é", "x'y",
            "klingon", "iso-8859-12", "x-", "charset=", String(repeating: "u", count: 5000),
            "replacement",
        ])
    func refusedLabels(label: String) {
        #expect(charset(label).kind == .unknown)
    }

    @Test("Fast paths have kinds of their own, and only UTF-8 passes through")
    func kinds() {
        #expect(charset("UTF-8").kind == .utf8)
        #expect(charset("us-ascii").kind == .usASCII)
        #expect(charset("iso-8859-1").kind == .latin1AsWindows1252)
        #expect(charset("utf-8").isPassThrough)
        #expect(!charset("us-ascii").isPassThrough)
        #expect(!Charset.undeclared.isPassThrough)
        #expect(charset("gb2312") == charset("GB18030"))
    }

    @Test("This system's iconv knows every charset that the table names")
    func iconvKnowsAll() {
        let cache = CharsetCache()
        for (index, row) in CharsetTable.rows.enumerated() {
            switch row.form {
            case .singleByte, .userDefined: #expect(cache.table(index) != nil, "\(row.iconvName)")
            case .multiByte, .shifted: #expect(cache.descriptor(index) != nil, "\(row.iconvName)")
            case .unicode: break
            }
        }
    }
}
