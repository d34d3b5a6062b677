"""Messages that a composer could have written, and some that only a careless one would write."""

import base64
import quopri

from hypothesis import strategies as st

from views import WIDER

CHARSETS = [
    "utf-8", "iso-8859-1", "iso-8859-15", "windows-1252", "koi8-r", "iso-2022-jp", "shift_jis",
    "euc-jp", "euc-kr", "gb2312", "big5", "iso-8859-2", "windows-1251",
]
WORDS = [
    "tea", "Grüße", "日本語", "привет", "łódź", "naïve", "café", "한국", "中文", "🍵", "Ω", "x",
    "A-1", "it's", "100%", "=?", "?=", "a_b", "ﬁn", "",
]
BOUNDARIES = ["a", "ab", "a-b", "=_x", "a=1", "b'c", "long" * 15, "a:b", "(c)"]
TYPES = ["image/png", "application/pdf", "text/csv", "application/octet-stream", "text/calendar"]


def encodable(text, charset):
    """Whether the charset can hold the text, both as Python and as the Encoding Standard read
    it."""
    try:
        data = text.encode(charset)
        return data.decode(charset) == text == data.decode(WIDER.get(charset, charset))
    except UnicodeError:
        return False


words = st.sampled_from(WORDS)
texts = st.lists(words, min_size=1, max_size=4).map(" ".join).map(str.strip)
ascii_words = st.sampled_from(["tea", "at", "five", "A-1", "it's", "re:", "100%"])


@st.composite
def charset_text(draw, strategy=texts):
    """A text and a charset that has it."""
    text = draw(strategy)
    fitting = [charset for charset in CHARSETS if encodable(text, charset)]
    return text, draw(st.sampled_from(fitting))


@st.composite
def encoded_word(draw):
    text, charset = draw(charset_text())
    data = text.encode(charset)
    label = draw(st.sampled_from([charset, charset.upper(), charset + "*en"]))
    if draw(st.booleans()):
        code, body = draw(st.sampled_from("bB")), base64.b64encode(data).decode()
    else:
        safe = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        form = draw(st.sampled_from(["=%02X", "=%02x"]))
        body = "".join(
            chr(byte) if byte in safe else "_" if byte == 32 else form % byte for byte in data)
        code = draw(st.sampled_from("qQ"))
    return f"=?{label}?{code}?{body}?="


@st.composite
def unstructured(draw):
    """A header's text: plain and encoded words with blanks or folds between them."""
    tokens = draw(st.lists(st.one_of(ascii_words, encoded_word()), max_size=5))
    text = ""
    for token in tokens:
        gap = draw(st.sampled_from([" ", "  ", "\r\n ", "\r\n\t"])) if text else ""
        text += gap + token
    return text


@st.composite
def mailbox(draw):
    local = draw(st.sampled_from(["ada", "bob.c", "d+e", "x_y", '"q r"', "f"]))
    address = f"{local}@{draw(st.sampled_from(['example.com', 'mail.example.org']))}"
    form = draw(st.integers(0, 8))
    if form == 0:
        return address
    if form == 6:
        return f"{address} ({draw(st.sampled_from(['Ada', 'Bob C', 'a (nested) one']))})"
    if form == 7:
        return f"{draw(st.sampled_from(['Łada', 'Zoë B', '日本 🍵']))} <{address}>"
    if form == 8:
        return f"Ada (not Bob) <{address}>"
    if form == 1:
        return f"<{address}>"
    if form == 2:
        return f"{draw(st.sampled_from(['Ada', 'Bob C', 'D E F']))} <{address}>"
    if form == 3:
        name = draw(st.sampled_from(["Tea, Ltd.", "a@b", 'x \\"y\\" z', "O'Hara (x)", "semi;colon"]))
        return f'"{name}" <{address}>'
    gap = draw(st.sampled_from([" ", "\r\n "]))
    names = draw(st.lists(encoded_word(), min_size=1, max_size=2))
    return f"{gap.join(names)} <{address}>"


@st.composite
def mailbox_list(draw):
    members = draw(st.lists(mailbox(), min_size=1, max_size=4))
    text = draw(st.sampled_from([", ", ",", ",\r\n "])).join(members)
    if draw(st.integers(0, 9)) == 0:
        return f"Team: {text};"
    return text


@st.composite
def base64_text(draw, data):
    """Correct base64, and base64 with blanks, other characters or no padding."""
    text = base64.b64encode(data)
    width = draw(st.sampled_from([76, 60, 4, 5, 1000]))
    end = draw(st.sampled_from([b"\r\n", b"\r\n", b" \r\n", b"\r\n\r\n"]))
    if draw(st.integers(0, 5)) == 0:
        text = text.rstrip(b"=")
    if draw(st.integers(0, 5)) == 0:
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from([b"!", b" ", b"*-", b"\xff"])) + text[at:]
    return b"".join(text[i:i + width] + end for i in range(0, len(text), width))


@st.composite
def quoted_printable(draw, data, is_text):
    if not is_text:
        return b"".join(
            b"=%02X" % byte + (b"=\r\n" if i % 20 == 19 else b"") for i, byte in enumerate(data))
    lines = data.split(b"\r\n")
    text = b"\r\n".join(
        quopri.encodestring(line, quotetabs=draw(st.booleans())).replace(b"\n", b"\r\n")
        for line in lines)
    if draw(st.integers(0, 5)) == 0:
        text += draw(st.sampled_from([b"=", b"=4", b"=G1", b"=\r\n", b"=3d=7e"]))
    return text


@st.composite
def body_text(draw):
    """Lines of text, some of which look like delimiters."""
    lines = draw(st.lists(st.one_of(
        texts, ascii_words, st.just(""), st.sampled_from(BOUNDARIES).map(lambda b: "--" + b + "x"),
        st.sampled_from(["--", "-- ", "From here", ".", "..", "trail  ", "=3D", "=", "\ttab"]),
    ), max_size=6))
    return "\r\n".join(lines)


@st.composite
def transfer_encoded(draw, data, is_text):
    """(label, encoded bytes)"""
    codes = ["base64", "quoted-printable"]
    if is_text or not any(byte in data for byte in b"\r\n\0"):
        codes += ["8bit", "binary", ""]
    code = draw(st.sampled_from(codes))
    if code == "base64":
        label = draw(st.sampled_from(["base64", "BASE64", "Base64"]))
        return label, draw(base64_text(data))
    if code == "quoted-printable":
        return code, draw(quoted_printable(data, is_text))
    return code, data


@st.composite
def file_name(draw):
    """A parameter of Content-Disposition, in one of the forms that are in use."""
    name = draw(st.sampled_from(["a.txt", "Bericht März.pdf", "日本語.png", "🍵 tea.csv", "x y;z.txt"]))
    is_ascii = name.isascii()
    form = draw(st.integers(0, 3))
    percent = "".join(chr(b) if b < 128 and chr(b).isalnum() else "%%%02X" % b for b in name.encode())
    if form == 0 and is_ascii:
        return f'; filename="{name}"'
    if form == 1:
        cut = len(percent) // 2
        while "%" in percent[max(0, cut - 2):cut]:
            cut -= 1
        return (f";\r\n filename*0*=utf-8''{percent[:cut]};\r\n filename*1*={percent[cut:]}")
    if form == 2:
        return f"; filename*=utf-8'en'{percent}"
    encoded = base64.b64encode(name.encode()).decode()
    return f'; filename="=?utf-8?B?{encoded}?="'


def charset_parameter(charset):
    return st.sampled_from([
        f"; charset={charset}", f'; charset="{charset}"', f";\r\n\tcharset={charset.upper()}",
        f"; format=flowed; Charset={charset}", f"; charset={charset} (set)",
    ])


@st.composite
def embedded(draw):
    """(headers, content) of a message in a message."""
    inner = (f"From: {draw(mailbox())}\r\nSubject: {draw(unstructured())}\r\n"
             f"Content-Type: text/plain; charset=utf-8\r\n\r\n{draw(body_text())}")
    headers = draw(st.sampled_from([
        "Content-Type: message/rfc822\r\n",
        "Content-Type: message/rfc822\r\nContent-Disposition: attachment; filename=x.eml\r\n"]))
    return headers.encode(), inner.encode()


@st.composite
def leaf(draw):
    """(headers, content) of a leaf."""
    if draw(st.integers(0, 2)):
        text, charset = draw(charset_text(body_text()))
        kind = draw(st.sampled_from(["text/plain", "text/html", "text/plain", "Text/Plain"]))
        data = text.encode(charset)
        headers = f"Content-Type: {kind}{draw(charset_parameter(charset))}\r\n"
        is_text = charset != "utf-16"
    else:
        data = draw(st.binary(max_size=90))
        headers = f"Content-Type: {draw(st.sampled_from(TYPES))}\r\n"
        is_text = False
    code, content = draw(transfer_encoded(data, is_text))
    if code:
        headers += f"Content-Transfer-Encoding: {code}\r\n"
    disposition = draw(st.integers(0, 3))
    if disposition:
        kind = "inline" if disposition == 1 else "attachment"
        headers += f"Content-Disposition: {kind}"
        headers += (draw(file_name()) if draw(st.booleans()) else "") + "\r\n"
    if draw(st.integers(0, 4)) == 0:
        headers += "Content-ID: <part1@example.com>\r\n"
    return headers.encode(), content


@st.composite
def multipart(draw, children, boundaries):
    """A multipart whose boundary none of those around it has."""
    boundary = draw(st.sampled_from([b for b in BOUNDARIES if b not in boundaries]))
    kind = draw(st.sampled_from(["mixed", "alternative", "related", "signed", "report", "digest",
                                 "x-odd"]))
    parts = draw(st.lists(children(boundaries + [boundary]), min_size=1, max_size=3))
    pad = draw(st.sampled_from(["", "", " ", "\t "]))
    body = draw(st.sampled_from([b"", b"", b"This is a multipart message.\r\n"]))
    for headers, content in parts:
        body += f"--{boundary}{pad}\r\n".encode() + headers + b"\r\n" + content + b"\r\n"
    if draw(st.integers(0, 9)):
        body += f"--{boundary}--{pad}\r\n".encode()
        body += draw(st.sampled_from([b"", b"", b"epilogue\r\n"]))
    parameter = f'boundary="{boundary}"'
    if boundary.isalnum() and draw(st.booleans()):
        parameter = f"{draw(st.sampled_from(['boundary', 'BOUNDARY']))}={boundary}"
    gap = draw(st.sampled_from([" ", "\r\n ", "", " (a comment) "]))
    return f"Content-Type: multipart/{kind};{gap}{parameter}\r\n".encode(), body


def entities(boundaries, depth=0):
    if depth == 3:
        return leaf()
    return st.one_of(
        leaf(), leaf(), leaf(), embedded() if depth else leaf(),
        multipart(lambda around: entities(around, depth + 1), boundaries))


@st.composite
def messages(draw):
    headers = f"From: {draw(mailbox())}\r\nTo: {draw(mailbox_list())}\r\n"
    if draw(st.booleans()):
        headers += f"Cc: {draw(mailbox_list())}\r\n"
    headers += f"Subject: {draw(unstructured())}\r\n"
    if draw(st.booleans()):
        headers += f"X-Note: {draw(unstructured())}\r\n"
    if draw(st.booleans()):
        headers += f"Reply-To: {draw(mailbox())}\r\n"
    headers += "MIME-Version: 1.0\r\n"
    more, body = draw(entities([]))
    return headers.encode() + more + b"\r\n" + body


@st.composite
def damaged(draw):
    """A message with some of its lines removed, doubled, swapped or damaged."""
    lines = draw(messages()).split(b"\r\n")
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.integers(0, 4))
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(at, lines[at])
        elif kind == 2:
            lines.insert(at, b"")
        elif kind == 3:
            lines = lines[:at + 1]
        else:
            lines[at] = lines[at][:draw(st.integers(0, len(lines[at])))]
        if not lines:
            lines = [b""]
    return b"\r\n".join(lines)
