// The charsets without a fast path of our own, one row each: its labels, how it is decoded, and by
// which charset of iconv. That is not always the one of the label: mail says gb2312 and means GB
// 18030, says shift_jis and means code page 932.
//
// Labels are written without punctuation and in lower case ("ISO_8859-2:1987" is iso885921987).
// Sources: WHATWG Encoding Standard 4.2, IANA character sets, and what mailers write.

/// How the bytes of a charset become characters.
enum CharsetForm: Equatable, Sendable {
    /// One byte per character: a table of 256, made once by iconv.
    case singleByte
    /// ASCII and characters of two to four bytes, without a state: iconv.
    case multiByte(MultiByteLead)
    /// x-user-defined: 0x80 to 0xFF are U+F780 to U+F7FF.
    case userDefined
    /// 7-bit with shifts: first turned into the 8-bit form that the row's iconv name is.
    case shifted(ShiftScheme)
    /// UTF-7, UTF-16 and UTF-32, by `UnicodeDecoder`.
    case unicode(UnicodeScheme)
}

/// How long a character is, by its first byte; needed only where iconv refuses one.
enum MultiByteLead: Equatable, Sendable {
    case sjis, eucJP, eucJISX0213, eucTW, gb, big5, uhc, other
}

/// Which escape sequences shift.
enum ShiftScheme: Equatable, Sendable { case iso2022JP, iso2022KR, iso2022CN, hz }

/// Which Unicode encoding form.
enum UnicodeScheme: Equatable, Sendable {
    /// `marked`: a byte order mark at the start may still override the name.
    case utf16(bigEndian: Bool, marked: Bool)
    case utf32(bigEndian: Bool, marked: Bool)
    case utf7
}

/// A charset that is neither UTF-8, nor ASCII, nor Latin-1.
struct CharsetRow: Sendable {
    /// The name for `iconv_open`; empty when iconv is not needed.
    var iconvName: StaticString
    var form: CharsetForm
    /// Labels separated by one space.
    var labels: StaticString
    /// Bytes that the WHATWG Encoding Standard reads differently from iconv.
    var exceptions: [(byte: UInt8, scalar: UInt32)] = []
}

enum CharsetTable {
    /// The position is the `index` of `Charset.Kind.listed`.
    static let rows: [CharsetRow] =
        isoRows + windowsRows + otherSingleByteRows + multiByteRows + shiftedRows + unicodeRows

    /// Position of the row of stateless multi-byte text with these lead bytes.
    static func row(of lead: MultiByteLead) -> Int { index { $0.form == .multiByte(lead) } }

    /// Position of the first row that `isIt`; there must be one.
    static func index(where isIt: (CharsetRow) -> Bool) -> Int { rows.firstIndex(where: isIt)! }

    private static func single(
        _ name: StaticString, _ labels: StaticString,
        _ exceptions: [(byte: UInt8, scalar: UInt32)] = []
    ) -> CharsetRow {
        CharsetRow(iconvName: name, form: .singleByte, labels: labels, exceptions: exceptions)
    }

    private static let isoRows: [CharsetRow] = [
        single(
            "ISO-8859-2", "iso88592 csisolatin2 88592 cp28592 cp912 isoir101 iso885921987 l2 latin2"
        ),
        single("ISO-8859-3", "iso88593 88593 cp28593 csisolatin3 isoir109 iso885931988 l3 latin3"),
        single("ISO-8859-4", "iso88594 88594 cp28594 csisolatin4 isoir110 iso885941988 l4 latin4"),
        single(
            "ISO-8859-5",
            """
            iso88595 88595 cp28595 cp915 csisolatincyrillic cyrillic isoir144 iso885951988 \
            iso885951999
            """
        ),
        single(
            "ISO-8859-6",
            """
            iso88596 88596 cp28596 arabic asmo708 csiso88596e csiso88596i csisolatinarabic \
            ecma114 iso88596e iso88596i isoir127 iso885961987
            """),
        single(
            "ISO-8859-7",
            """
            iso88597 88597 cp28597 cp813 csisolatingreek ecma118 elot928 greek greek8 isoir126 \
            iso885971987 suneugreek iso885972003
            """),
        single(
            "ISO-8859-8",
            """
            iso88598 88598 cp28598 cp38598 cp916 csiso88598e csisolatinhebrew hebrew iso88598e \
            isoir138 iso885981988 visual csiso88598i iso88598i logical
            """),
        single("ISO-8859-10", "iso885910 csisolatin6 isoir157 l6 latin6 iso8859101992"),
        single("ISO-8859-13", "iso885913 885913 cp28603 cp921 csiso885913 latin7 l7 isoir179"),
        single("ISO-8859-14", "iso885914 csiso885914 latin8 l8 isoir199 iso8859141998"),
        single(
            "ISO-8859-15",
            "iso885915 885915 cp28605 cp923 latin0 csisolatin9 csiso885915 l9 latin9 isoir203"),
        single("ISO-8859-16", "iso885916 csiso885916 l10 latin10 isoir226 iso8859162001"),
    ]

    private static let windowsRows: [CharsetRow] = [
        single(
            "CP874",
            """
            windows874 dos874 874 ibm874 tis62025331990 iso885911 tis620 cp874 xwindows874 \
            cswindows874 ms874
            """
        ),
        single("CP1250", "windows1250 cp1250 xcp1250 win1250 ms1250 cswindows1250 1250"),
        single("CP1251", "windows1251 cp1251 xcp1251 win1251 ms1251 cswindows1251 1251"),
        single("CP1253", "windows1253 cp1253 xcp1253 win1253 ms1253 cswindows1253 1253"),
        single(
            "CP1254",
            """
            windows1254 cp1254 xcp1254 win1254 ms1254 cswindows1254 1254 csisolatin5 iso88599 \
            88599 cp28599 cp920 isoir148 iso885991989 l5 latin5 iso885991999
            """),
        single("CP1255", "windows1255 cp1255 xcp1255 win1255 ms1255 cswindows1255 1255"),
        single("CP1256", "windows1256 cp1256 xcp1256 win1256 ms1256 cswindows1256 1256"),
        single("CP1257", "windows1257 cp1257 xcp1257 win1257 ms1257 cswindows1257 1257"),
        single("CP1258", "windows1258 cp1258 xcp1258 win1258 ms1258 cswindows1258 1258"),
    ]

    private static let otherSingleByteRows: [CharsetRow] = [
        single("KOI8-R", "koi8r cskoi8r koi koi8 koi8rus cp20866 cp878"),
        single("KOI8-U", "koi8u koi8ru cskoi8u cp21866 cp1168", [(0xAE, 0x45E), (0xBE, 0x40E)]),
        single("KOI8-T", "koi8t"),
        single(
            "MACINTOSH",
            """
            macintosh csmacintosh mac xmacroman macroman xmac cp10000 xmacwestern macwestern \
            xmacintosh macosroman appleroman
            """,
            [(0xC6, 0x2206), (0xF0, 0xF8FF)]),
        single(
            "MAC-UK",
            "xmaccyrillic xmacukrainian cp10007 cp10017 maccyrillic macukrainian macuk macukraine",
            [(0xFF, 0x20AC)]),
        single(
            "MACINTOSH", "xmacturkish macturkish cp10081",
            MacTables.turkish),
        single(
            "MACINTOSH", "xmaccroatian maccroatian cp10082",
            MacTables.croatian),
        single(
            "MACINTOSH",
            "xmacromanian macromanian cp10010 macromania",
            MacTables.romanian),
        single(
            "MACINTOSH", "xmacgreek macgreek cp10006", MacTables.greek),
        single(
            "MAC-CENTRALEUROPE",
            """
            xmacce macce maccentraleurope xmaccentraleurroman xmaccentraleurope cp10029 \
            maccentraleuropean maclatin2
            """
        ),
        single("CP437", "cp437 ibm437 437 dos437 cspc8codepage437"),
        single("CP737", "cp737 ibm737 737"),
        single("CP775", "cp775 ibm775 775 cspc775baltic"),
        single("CP850", "cp850 ibm850 850 dos850 cspc850multilingual"),
        single("CP852", "cp852 ibm852 852 dos852 cspcp852"),
        single("CP855", "cp855 ibm855 855 csibm855"),
        single("CP857", "cp857 ibm857 857 csibm857"),
        single("CP858", "cp858 ibm858 858 ibm00858 ccsid00858 cp00858"),
        single("CP860", "cp860 ibm860 860 csibm860"),
        single("CP861", "cp861 ibm861 861 cpis csibm861"),
        single("CP862", "cp862 ibm862 862 dos862 cspc862latinhebrew"),
        single("CP863", "cp863 ibm863 863 csibm863"),
        single("CP856", "cp856 ibm856 856"),
        single("CP864", "cp864 ibm864 864 csibm864"),
        single("CP865", "cp865 ibm865 865 csibm865"),
        single("CP866", "ibm866 cp866 866 csibm866 dos866"),
        single("CP1125", "cp1125 ibm1125 1125 ruscii cp866u"),
        single("HP-ROMAN8", "hproman8 roman8 r8 cshproman8 cp1051 ibm1051"),
        single("MAC-IS", "xmacicelandic macicelandic maciceland xmaciceland cp10079"),
        single("CP869", "cp869 ibm869 869 cpgr csibm869"),
        single("ARMSCII-8", "armscii8"),
        single("GEORGIAN-PS", "georgianps"),
        single("PT154", "pt154 ptcp154 cp154 cyrillicasian csptcp154"),
        single("RK1048", "rk1048 strk10482002 kz1048 cskz1048"),
        single("VISCII", "viscii viscii111 csviscii"),
        single("TCVN5712-1", "tcvn tcvn5712 tcvn57121 tcvn571211993"),
        CharsetRow(iconvName: "", form: .userDefined, labels: "xuserdefined"),
    ]

    private static let multiByteRows: [CharsetRow] = [
        CharsetRow(
            iconvName: "GB18030", form: .multiByte(.gb),
            labels: """
                gbk gb18030 gb2312 chinese csgb2312 csiso58gb231280 gb231280 isoir58 xgbk cp936 \
                ms936 windows936 euccn xeuccn cngb csgbk csgb18030 gb180302000 gb180302005 gb \
                xmacchinesesimp 936 cp1386 cp54936 cp20936 cp10008
                """),
        CharsetRow(
            iconvName: "BIG5-HKSCS", form: .multiByte(.big5),
            labels: """
                big5 big5hkscs cnbig5 csbig5 xxbig5 cp950 ms950 windows950 big5eten xbig5 \
                csbig5hkscs big5hkscs2004 big5tw hkscs xmacchinesetrad 950 cp951 big5hk big5e \
                big5plus cp10002
                """),
        CharsetRow(iconvName: "EUC-TW", form: .multiByte(.eucTW), labels: "euctw xeuctw cseuctw"),
        CharsetRow(
            iconvName: "EUC-JP-MS", form: .multiByte(.eucJP),
            labels: """
                eucjp cseucpkdfmtjapanese xeucjp eucjpms eucjpwin eucjpopen cp20932 cp51932 ujis \
                xeuc extendedunixcodepackedformatforjapanese
                """),
        CharsetRow(
            iconvName: "EUC-JISX0213", form: .multiByte(.eucJISX0213),
            labels: "eucjisx0213 eucjis2004"),
        CharsetRow(
            iconvName: "CP932", form: .multiByte(.sjis),
            labels: """
                shiftjis csshiftjis ms932 mskanji sjis windows31j xsjis cp932 cswindows31j \
                windows932 cp943 ibm943 xmsjis shiftjis2004 shiftjisx0213 xmacjapanese 932 \
                sjiswin shiftjiswin cp942 ibm942 sjisopen cp10001 pck
                """),
        CharsetRow(
            iconvName: "UHC", form: .multiByte(.uhc),
            labels: """
                euckr cseuckr csksc56011987 isoir149 korean ksc56011987 ksc56011989 ksc5601 \
                windows949 cp949 ms949 uhc xwindows949 cp51949 ksx1001 xmackorean 949 \
                ksc56011992 ksx10011992 cp1363 cp970 cp20949 cp10003
                """),
        CharsetRow(
            iconvName: "JOHAB", form: .multiByte(.other),
            labels: "johab cp1361 ms1361 ksc5601johab ksc56011992johab"),
    ]

    private static let shiftedRows: [CharsetRow] = [
        CharsetRow(
            iconvName: "EUC-JP-MS", form: .shifted(.iso2022JP),
            labels: """
                iso2022jp csiso2022jp iso2022jp1 iso2022jp2 csiso2022jp2 iso2022jp3 \
                iso2022jp2004 iso2022jpms iso2022jpext cp50220 cp50221 cp50222 jis jis7 \
                jisencoding csjisencoding iso2022jpmobile iso2022jpcp932
                """),
        CharsetRow(
            iconvName: "UHC", form: .shifted(.iso2022KR), labels: "iso2022kr csiso2022kr cp50225"),
        CharsetRow(
            iconvName: "GB18030", form: .shifted(.iso2022CN),
            labels: "iso2022cn csiso2022cn iso2022cnext csiso2022cnext cp50227"),
        CharsetRow(
            iconvName: "GB18030", form: .shifted(.hz), labels: "hzgb2312 hz hzgb cshzgb2312 cp52936"
        ),
    ]

    private static func unicode(_ scheme: UnicodeScheme, _ labels: StaticString) -> CharsetRow {
        CharsetRow(iconvName: "", form: .unicode(scheme), labels: labels)
    }

    private static let unicodeRows: [CharsetRow] = [
        unicode(
            .utf16(bigEndian: false, marked: true),
            "utf16 unicode csunicode iso10646ucs2 ucs2 csutf16"),
        unicode(
            .utf16(bigEndian: false, marked: true), "utf16le unicodefeff ucs2le csutf16le cp1200"),
        unicode(
            .utf16(bigEndian: true, marked: true), "utf16be unicodefffe ucs2be csutf16be cp1201"),
        unicode(
            .utf32(bigEndian: true, marked: true), "utf32 ucs4 iso10646ucs4 csucs4 csutf32"),
        unicode(.utf32(bigEndian: false, marked: false), "utf32le ucs4le csutf32le"),
        unicode(.utf32(bigEndian: true, marked: false), "utf32be ucs4be csutf32be"),
        unicode(
            .utf7,
            """
            utf7 unicode11utf7 csunicode11utf7 xunicode20utf7 unicode20utf7 csutf7 cp65000
            """),
    ]
}
