// The messages of PartWalkerTests. Line ends are written as line feeds.

private let mixed = "Content-Type: multipart/mixed; boundary=b\n\n"
private let plain = "Content-Type: text/plain\n\n"

let goldenMessages: [GoldenMessage] = singleMessages + multipartMessages + hostileMessages

private let singleMessages: [GoldenMessage] = [
    GoldenMessage("empty", "", header: "", ["0 text/plain: "]),
    GoldenMessage("header only", "A: b\n", header: "A: b\n", ["0 text/plain: "]),
    GoldenMessage("header without line end", "A: b", header: "A: b", ["0 text/plain: "]),
    GoldenMessage("header and blank line", "A: b\n\n", ["0 text/plain: "]),
    GoldenMessage("header and body", "A: b\n\nbody\n", ["0 text/plain: body\n"]),
    GoldenMessage("blank line first", "\nA: b\n\nc", header: "\n", ["0 text/plain: A: b\n\nc"]),
    GoldenMessage("folded header", "A: b\n c\n\td\n\nx", ["0 text/plain: x"]),
    GoldenMessage("blank looking folding", "A: b\n \nC: d\n\nx", ["0 text/plain: x"]),
    GoldenMessage(
        "body without a header", "Hello there,\nNote: x\n\ny", header: "",
        ["0 text/plain: Hello there,\nNote: x\n\ny"]),
    GoldenMessage("body of one line", "hello", header: "", ["0 text/plain: hello"]),
    GoldenMessage(
        "first line is folding", " a\nB: c\n\nd", header: "", ["0 text/plain:  a\nB: c\n\nd"]),
    GoldenMessage(
        "no blank line in front of the body", "A: b\nhello there\n\nyou\n", header: "A: b\n",
        ["0 text/plain: hello there\n\nyou\n"]),
    GoldenMessage(
        "line that is no field among fields", "A: b\nbroken\nC: d\nE: f\n\nx",
        ["0 text/plain: x"]),
    GoldenMessage(
        "line that is no field before one field", "A: b\nbroken\nC: d\n\nx", header: "A: b\n",
        ["0 text/plain: broken\nC: d\n\nx"]),
    GoldenMessage(
        "hyphens end the header", "A: b\n--\nC: d\n\nx", header: "A: b\n",
        ["0 text/plain: --\nC: d\n\nx"]),
    GoldenMessage(
        "hyphens in front are of no field name", "A: b\n--c: d\n\nx", header: "A: b\n",
        ["0 text/plain: --c: d\n\nx"]),
    GoldenMessage(
        "mbox line", "From a@b Mon\nA: b\n\nc", header: "A: b\n\n", ["0 text/plain: c"]),
    GoldenMessage(
        "quoted mbox line", ">From a@b Mon\nA: b\n\nc", header: "A: b\n\n", ["0 text/plain: c"]),
    GoldenMessage(
        "mbox line and body", "From a@b Mon\nhello you\n", header: "",
        ["0 text/plain: hello you\n"]),
    GoldenMessage(
        "html in base64",
        "Content-Type: Text/HTML; charset=utf-8\nContent-Transfer-Encoding: BASE64\n\nPGI+",
        ["0 text/html base64: PGI+"]),
    GoldenMessage(
        "attachment alone",
        "Content-Type: application/pdf; name=b.pdf\n"
            + "Content-Disposition: attachment; filename=\"a.pdf\"\n"
            + "Content-ID: <x@y>\n\n%PDF",
        ["0 application/pdf attachment “a.pdf” <x@y>: %PDF"]),
    GoldenMessage(
        "the first type counts",
        "Content-Type: text/html\nContent-Type: image/png\n\nx", ["0 text/html: x"]),
    GoldenMessage("type without subtype", "Content-Type: text\n\nx", ["0 text/plain: x"]),
    GoldenMessage(
        "image without subtype", "Content-Type: image\n\nx", ["0 application/octet-stream: x"]),
    GoldenMessage("empty type", "Content-Type:\n\nx", ["0 text/plain: x"]),
    GoldenMessage("type of nonsense", "Content-Type: ///\n\nx", ["0 text/plain: x"]),
    GoldenMessage(
        "unknown encoding", "Content-Transfer-Encoding: x-zip\n\nx",
        ["0 text/plain unknown: x"]),
    GoldenMessage(
        "unknown encoding of no text", "Content-Transfer-Encoding: x-zip\n\n\u{1}",
        ["0 application/octet-stream unknown: \u{1}"]),
    GoldenMessage(
        "a message in a message",
        "Content-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=c\n\n--c--\n",
        ["0 message/rfc822: Content-Type: multipart/mixed; boundary=c\n\n--c--\n"]),
]

private let multipartMessages: [GoldenMessage] = [
    GoldenMessage("one part", mixed + "--b\n\nx\n--b--\n", ["1 text/plain: x"]),
    GoldenMessage(
        "two parts", mixed + "--b\n\nx\n--b\n" + plain + "y\n\n--b--\n",
        ["1 text/plain: x", "1 text/plain: y\n"]),
    GoldenMessage("empty part", mixed + "--b\n\n\n--b--\n", []),
    GoldenMessage("empty part with a type", mixed + "--b\n" + plain + "--b--", ["1 text/plain: "]),
    GoldenMessage("blank part", mixed + "--b\n\n\n\n--b--\n", ["1 text/plain: \n"]),
    GoldenMessage("part of a blank line", mixed + "--b\n\n--b--\n", []),
    GoldenMessage(
        "last delimiter and blank line", mixed + "--b\n\nx\n--b\n\n", ["1 text/plain: x"]),
    GoldenMessage(
        "header block without a blank line", mixed + "--b\nContent-Type: text/html\n--b--\n",
        ["1 text/html: "]),
    GoldenMessage(
        "part without a header", mixed + "--b\nhello you\nhow\n--b--\n",
        ["1 text/plain: hello you\nhow"]),
    GoldenMessage(
        "part without a blank line",
        mixed + "--b\nContent-Type: text/html\n<p>a b\n\nc\n--b--\n",
        ["1 text/html: <p>a b\n\nc"]),
    GoldenMessage(
        "part without a blank line at all",
        mixed + "--b\nContent-Type: text/html\n<p>a b\n--b--\n", ["1 text/html: <p>a b"]),
    GoldenMessage(
        "preamble and epilogue", mixed + "pre\n\n--b\n\nx\n--b--\nepi\nlogue\n",
        ["1 text/plain: x"]),
    GoldenMessage(
        "blanks after delimiters", mixed + "--b \t\n\nx\n--b--  \n", ["1 text/plain: x"]),
    GoldenMessage("no line end at the end", mixed + "--b\n\nx\n--b--", ["1 text/plain: x"]),
    GoldenMessage(
        "alternative in mixed",
        mixed + "--b\nContent-Type: multipart/alternative; boundary=\"c c\"\n\n"
            + "--c c\n\nx\n--c c\nContent-Type: text/html\n\ny\n--c c--\n\n"
            + "--b\nContent-Type: image/png\n\nz\n--b--\n",
        [
            "2 text/plain alternative: x", "2 text/html alternative: y", "1 image/png: z",
        ]),
    GoldenMessage(
        "mixed in related stays in it",
        "Content-Type: multipart/related; boundary=b\n\n--b\n"
            + "Content-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--c--\n--b--\n",
        ["2 text/plain alternative: x"]),
    GoldenMessage(
        "digest",
        "Content-Type: multipart/digest; boundary=b\n\n--b\n\nA: b\n\nx\n--b\n"
            + plain + "y\n--b--\n",
        ["1 message/rfc822: A: b\n\nx", "1 text/plain: y"]),
    GoldenMessage(
        "mixed in digest",
        "Content-Type: multipart/digest; boundary=b\n\n--b\n"
            + "Content-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--c--\n--b\n\ny\n--b--\n",
        ["2 text/plain: x", "1 message/rfc822: y"]),
    GoldenMessage(
        "boundaries of an inner message do not count",
        mixed + "--b\nContent-Type: message/rfc822\n\n"
            + "Content-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--c--\n\n--b\n\ny\n--b--\n",
        [
            "1 message/rfc822: Content-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--c--\n",
            "1 text/plain: y",
        ]),
    GoldenMessage(
        "encoding of a multipart is ignored",
        "Content-Transfer-Encoding: base64\n" + mixed + "--b\n\nx\n--b--\n", ["1 text/plain: x"]),
    GoldenMessage(
        "no parameter but RFC 2231",
        "Content-Type: multipart/mixed; boundary*0=b; boundary*1=c\n\n--bc\n\nx\n--bc--\n",
        ["1 text/plain: x"]),
    GoldenMessage(
        "inline image",
        "Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: image/gif\n"
            + "Content-ID: <i@x>\nContent-Disposition: inline; filename=\"../../i.gif\"\n"
            + "Content-Transfer-Encoding: base64\n\nR0lG\nODlh\n--b--\n",
        ["1 image/gif alternative base64 “i.gif” <i@x>: R0lG\nODlh"]),
]

private let hostileMessages: [GoldenMessage] = [
    GoldenMessage("close delimiter missing", mixed + "--b\n\nx\n", ["1 text/plain: x\n"]),
    GoldenMessage("last delimiter not closed", mixed + "--b\n\nx\n--b\n", ["1 text/plain: x"]),
    GoldenMessage("last delimiter cut", mixed + "--b\n\nx\n--b", ["1 text/plain: x"]),
    GoldenMessage("delimiter twice", mixed + "--b\n--b\n\nx\n--b--\n", ["1 text/plain: x"]),
    GoldenMessage(
        "no boundary parameter", "Content-Type: multipart/mixed\n\n--b\n\nx\n--b--\n",
        ["0 text/plain: --b\n\nx\n--b--\n"]),
    GoldenMessage(
        "empty boundary", "Content-Type: multipart/mixed; boundary=\"\"\n\n--\nx\n",
        ["0 text/plain: --\nx\n"]),
    GoldenMessage("no delimiter line", mixed + "hello\nyou\n", ["1 text/plain: hello\nyou\n"]),
    GoldenMessage("multipart without content", mixed, []),
    GoldenMessage("multipart of blanks", mixed + "\n \n", []),
    GoldenMessage(
        "close delimiter alone", mixed + "hello\n--b--\nepilogue", ["1 text/plain: hello"]),
    GoldenMessage(
        "inner multipart not closed",
        mixed + "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--b\n\ny\n--b--\n",
        ["2 text/plain: x", "1 text/plain: y"]),
    GoldenMessage(
        "inner multipart without a delimiter",
        mixed + "--b\nContent-Type: multipart/mixed; boundary=c\n\nx\n--b\n\ny\n--b--\n",
        ["2 text/plain: x", "1 text/plain: y"]),
    GoldenMessage(
        "inner multipart cut in its header",
        mixed + "--b\nContent-Type: multipart/mixed; boundary=c\n--b\n\ny\n--b--\n",
        ["1 text/plain: y"]),
    GoldenMessage(
        "outer prefix of inner",
        mixed + "--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\nx\n--bb--\n"
            + "--b\n\ny\n--b--\n",
        ["2 text/plain: x", "1 text/plain: y"]),
    GoldenMessage(
        "inner prefix of outer",
        "Content-Type: multipart/mixed; boundary=bb\n\n--bb\n"
            + "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n"
            + "--bb\n\ny\n--bb--\n",
        ["2 text/plain: x", "1 text/plain: y"]),
    GoldenMessage(
        "inner boundary equals outer",
        mixed + "--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n"
            + "--b\n\ny\n--b--\n",
        ["2 text/plain: x", "1 text/plain: y"]),
    GoldenMessage(
        "boundary that looks like a close delimiter",
        "Content-Type: multipart/mixed; boundary=\"b--\"\n\n--b--\n\nx\n--b----\n",
        ["1 text/plain: x"]),
    GoldenMessage(
        "boundary of hyphens",
        "Content-Type: multipart/mixed; boundary=\"--\"\n\n----\n\nx\n------\n",
        ["1 text/plain: x"]),
    GoldenMessage(
        "part after the close delimiter", mixed + "--b\n\nx\n--b--\n--b\n\ny\n--b--\n",
        ["1 text/plain: x", "1 text/plain: y"]),
    GoldenMessage(
        "nearly delimiters", mixed + "--b\n\n--\n-b\n--bx\n--b-\n--b---\n --b\n--b\tx\n--b--\n",
        ["1 text/plain: --\n-b\n--bx\n--b-\n--b---\n --b\n--b\tx"]),
    GoldenMessage(
        "delimiter within a line", mixed + "--b\n\nx--b\ny--b--\n--b--\n",
        ["1 text/plain: x--b\ny--b--"]),
    GoldenMessage(
        "hyphens upon hyphens", mixed + "--b\n\n-\n--\n---\n-\n--b--\n",
        ["1 text/plain: -\n--\n---\n-"]),
    GoldenMessage(
        "line ends at the end", mixed + "--b\n\nx\n\n\n--b--\n", ["1 text/plain: x\n\n"]),
    GoldenMessage(
        "delimiter instead of a blank line",
        "Content-Type: multipart/mixed; boundary=b\n--b\n\nx\n--b--\n",
        header: "Content-Type: multipart/mixed; boundary=b\n", ["1 text/plain: x"]),
    GoldenMessage(
        "boundary with blanks after it",
        "Content-Type: multipart/mixed; boundary=\"b \"\n\n--b\n\nx\n--b--\n",
        ["1 text/plain: x"]),
    GoldenMessage(
        "the first boundary counts",
        "Content-Type: multipart/mixed; boundary=b\nContent-Type: multipart/mixed; boundary=c\n\n"
            + "--b\n\nx\n--c\n--b--\n",
        ["1 text/plain: x\n--c"]),
    GoldenMessage(
        "multipart without subtype", "Content-Type: multipart; boundary=b\n\n--b\n\nx\n--b--\n",
        ["1 text/plain: x"]),
    GoldenMessage(
        "long line of hyphens",
        mixed + "--b\n\n" + String(repeating: "-", count: 600) + "\n--b--\n",
        ["1 text/plain: " + String(repeating: "-", count: 600)]),
    GoldenMessage(
        "delimiter with too many blanks",
        mixed + "--b\n\nx\n--b" + String(repeating: " ", count: 510) + "\n--b--\n",
        ["1 text/plain: x\n--b" + String(repeating: " ", count: 510)]),
    GoldenMessage(
        "delimiter with as many blanks as may be",
        mixed + "--b\n\nx\n--b--" + String(repeating: " ", count: 506) + "\n",
        ["1 text/plain: x"]),
    GoldenMessage(
        "outer close inside inner",
        mixed + "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--b--\n--c\n\ny\n",
        ["2 text/plain: x"]),
]
