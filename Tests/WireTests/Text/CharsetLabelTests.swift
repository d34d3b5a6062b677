// Labels as they are seen in mail, with their damage, and what they mean.

import TestSupport
import Testing

@testable import Wire

@Suite("Labels seen in mail")
struct CharsetLabelTests {
    /// Each label on the left means what the one on the right does.
    @Test(
        "They mean what their writers meant",
        arguments: [
            ("x-iso-2022-jp", "iso-2022-jp"), ("_iso-2022-jp$ESC", "iso-2022-jp"),
            ("iso-2022-jp$ESC", "iso-2022-jp"), ("iso-2022-jp-ms", "iso-2022-jp"),
            ("CP50220", "iso-2022-jp"), ("csISO2022JP", "iso-2022-jp"), ("JIS", "iso-2022-jp"),
            ("sjis-win", "shift_jis"), ("SJIS", "shift_jis"), ("cp932", "shift_jis"),
            ("MS_Kanji", "shift_jis"), ("x-sjis", "shift_jis"), ("windows-31j", "shift_jis"),
            ("cp943", "shift_jis"), ("eucJP-win", "euc-jp"), ("x-euc-jp", "euc-jp"),
            ("ks_c_5601-1987", "euc-kr"), ("KS_C_5601", "euc-kr"), ("ksc5601", "euc-kr"),
            ("x-euc-kr", "euc-kr"), ("cp949", "euc-kr"), ("ms949", "euc-kr"), ("uhc", "euc-kr"),
            ("x-windows-949", "euc-kr"), ("gb2312", "gb18030"), ("x-gbk", "gb18030"),
            ("GB_2312-80", "gb18030"), ("cp936", "gb18030"), ("x-gb2312", "gb18030"),
            ("euc-cn", "gb18030"), ("gb18030-2000", "gb18030"), ("big5-hkscs", "big5"),
            ("x-big5", "big5"), ("x-x-big5", "big5"), ("cp950", "big5"), ("Big5-ETEN", "big5"),
            ("cp1250", "windows-1250"), ("x-cp1251", "windows-1251"), ("win-1251", "windows-1251"),
            ("win1257", "windows-1257"), ("Windows_1254", "windows-1254"),
            ("cp-1252", "iso-8859-1"), ("ansi", "iso-8859-1"), ("x-ansi", "iso-8859-1"),
            ("iso-8859-1-windows-3.1-latin-1", "iso-8859-1"), ("latin-1", "iso-8859-1"),
            ("8859_1", "iso-8859-1"), ("iso8859_15", "iso-8859-15"), ("latin9", "iso-8859-15"),
            ("8859_2", "iso-8859-2"), ("iso_8859-2:1987", "iso-8859-2"),
            ("iso-8859-8-i", "iso-8859-8"), ("iso-8859-6-e", "iso-8859-6"),
            ("iso-8859-11", "tis-620"), ("cp874", "tis-620"), ("cp850", "ibm850"),
            ("dos-866", "cp866"), ("cp_852", "ibm852"), ("x-mac-roman", "macintosh"),
            ("x-mac-cyrillic", "x-mac-ukrainian"), ("x-MacUkraine", "x-mac-ukrainian"),
            ("Mac OS Roman", "macintosh"), ("x-mac-ce", "mac-centraleurope"),
            ("x-mac-japanese", "shift_jis"), ("x-mac-korean", "euc-kr"), ("koi", "koi8-r"),
            ("x-koi8-r", "koi8-r"), ("koi8-ru", "koi8-u"), ("utf8", "utf-8"), ("utf_8", "utf-8"),
            ("UTF8MB4", "utf-8"), ("x-utf-8", "utf-8"), ("utf-8-sig", "utf-8"),
            ("cp65001", "utf-8"), ("unicode-1-1-utf-8", "utf-8"), ("unicode-1-1-utf-7", "utf-7"),
            ("x-unicode-2-0-utf-7", "utf-7"), ("ansi_x3.4-1968", "us-ascii"),
            ("ANSI_X3.4-1986", "us-ascii"), ("646", "us-ascii"), ("iso-ir-6", "us-ascii"),
            ("utf-8; format=flowed", "utf-8"), ("\"utf-8; format=flowed", "utf-8"),
            ("utf-8;", "utf-8"), ("utf-8\"", "utf-8"), ("charset=utf-8", "utf-8"),
            ("charset=\"iso-8859-2\"", "iso-8859-2"), ("iso-8859-2 format=flowed", "iso-8859-2"),
            ("koi8-r, koi8-u", "koi8-r"), ("'windows-1251'", "windows-1251"),
            ("us-ascii (Plain text)", "us-ascii"), (" ISO-8859-2 ", "iso-8859-2"),
            ("utf-8\\", "utf-8"), ("<utf-8>", "no-such"),
        ])
    func aliases(label: String, meaning: String) {
        let charset = Charset(label: label.bytes.span)
        #expect(charset == Charset(label: meaning.bytes.span))
    }

    @Test(
        "Some say only that nobody knows the charset",
        arguments: ["unknown-8bit", "x-unknown", "unknown", "default", "none", "8bit", "binary"])
    func undeclared(label: String) {
        #expect(Charset(label: label.bytes.span) == .undeclared)
    }

    @Test("Reading a label takes linear time")
    func linear() {
        for part in ["u", " ", "x-", "-", "charset=", "$", ";", "é"] {
            expectLinear(part) { _ = Charset(label: $0.span) }
        }
    }
}
