"""The message that every client sends, and what has to arrive at the API.

`write` puts it into a folder, as files and a `message.json` that names them; a program reads that
and composes the message with its own library. `check` compares the whole API call with it, leaf by
leaf, and tells which leaves it saw. `write_large` makes a message of the maximum size.
"""

import dataclasses
import email.utils
import hashlib
import json
import pathlib
import random

FROM = ("Café Łódź", "sender@yourdomain.com")
TO = [("Zoë Müller, CEO", "zoe@example.com"), ("日本 太郎", "taro@example.com")]
CC = [("O'Brien, Pat", "pat@example.com")]
BCC = [("", "hidden@example.com")]
PEOPLE = (TO, CC, BCC)
REPLY_TO = "replies@yourdomain.com"
SUBJECT = "Grüße aus Zürich 🎉 夏の便り: a subject that is long enough to be folded twice 📬"
# Single and double dots, a line that mbox would quote, blanks at the end, three scripts.
TEXT = "Guten Tag Zoë,\n.\n..zwei Punkte\nFrom here on: 夏の便り 👋\ntwo blanks  \n\n-- \nTschüß\n"
CONTENT_ID = "logo@postscale.example"
HTML = f'<p>Hallo Zoë 👋</p>\n<p><img src="cid:{CONTENT_ID}" alt="夏"></p>\n'
TAGS = ["welcome", "onboarding"]
METADATA = {"user_id": "42", "campaign": "launch"}
HEADERS = {
    "X-Postscale-Tags": ", ".join(TAGS),
    "X-Postscale-Metadata": json.dumps(METADATA),
    "X-My-Header": "kept as it is",
}


def _bytes(seed, opening, length):
    return opening + bytes(range(256)) + random.Random(seed).randbytes(length)


@dataclasses.dataclass
class File:
    """Something attached: under `name` to the reader, under a plain `stored` name on the disk."""

    stored: str
    name: str
    kind: str
    content: bytes


LOGO = File("logo.png", "logo.png", "image/png", _bytes(1, b"\x89PNG\r\n\x1a\n", 9_000))
ATTACHMENTS = [
    File("1.pdf", "Résumé été.pdf", "application/pdf", _bytes(2, b"%PDF-1.7\r\n", 30_001)),
    File("2.csv", "見積書.csv", "text/csv", "品目,価格\nKäse,3\n".encode() * 200),
    File("3.zip", "🎉 party.zip", "application/zip", _bytes(3, b"PK\3\4", 20_002)),
]


def write(folder, rich=True, to=None, headers=None):
    """Writes the message's files and `message.json`, and returns the path of the latter. Without
    `rich` the message is only text; `to` and `headers` replace the usual ones."""
    folder = pathlib.Path(folder)
    for file in [LOGO, *ATTACHMENTS]:
        # Programs that take the name from the path get a file with the real name, in its own
        # folder.
        (folder / file.stored).write_bytes(file.content)
        (folder / "named").mkdir(exist_ok=True)
        (folder / "named" / file.name).write_bytes(file.content)
    (folder / "text.txt").write_text(TEXT, encoding="utf-8", newline="")
    (folder / "html.html").write_text(HTML, encoding="utf-8", newline="")

    def described(file):
        path = str(folder / file.stored)
        named = str(folder / "named" / file.name)
        return {"path": path, "named_path": named, "name": file.name, "type": file.kind}

    def people(pairs):
        return [{"name": name, "address": address} for name, address in pairs]

    message = {
        "from": people([FROM])[0],
        "to": people(TO if to is None else to),
        "cc": people(CC if rich else []),
        "bcc": people(BCC if rich else []),
        "reply_to": REPLY_TO,
        "subject": SUBJECT,
        "text": TEXT,
        "text_path": str(folder / "text.txt"),
        "html": HTML if rich else None,
        "html_path": str(folder / "html.html"),
        "inline": {**described(LOGO), "content_id": CONTENT_ID} if rich else None,
        "attachments": [described(file) for file in ATTACHMENTS] if rich else [],
        "headers": HEADERS if headers is None else headers,
    }
    path = folder / "message.json"
    path.write_text(json.dumps(message, ensure_ascii=False), encoding="utf-8")
    return path


# Base64 in lines of 76 characters and CRLF makes 52.0 million bytes of these, and the limit is
# 52,428,800: the headers and longer boundaries of every client fit, and nothing else. There are two
# files, because the API takes 25 MiB per file.
LARGE_BYTES_EACH = 19_000_000
LARGE_TEXT_LINES = 730_000  # Of 71 bytes, including CRLF.


def write_large(folder, as_text=False):
    """A message of just under 50 MB: a short text and two files, or as much text."""
    path = write(folder, rich=False, to=[TO[0]])
    given = read(path)
    given["text"] = "38 million bytes.\n"
    if as_text:
        line = "%08d " + "0123456789" * 6 + "\n"
        given["text"] = "".join(line % number for number in range(LARGE_TEXT_LINES))
    pathlib.Path(given["text_path"]).write_text(given["text"], encoding="utf-8")
    for number in () if as_text else (1, 2):
        file = pathlib.Path(folder) / f"large-{number}.bin"
        file.write_bytes(random.Random(number).randbytes(LARGE_BYTES_EACH))
        entry = {"path": str(file), "named_path": str(file), "name": file.name}
        given["attachments"].append({**entry, "type": "application/octet-stream"})
    path.write_text(json.dumps(given, ensure_ascii=False), encoding="utf-8")
    return path


def check_large(case, sandbox, path):
    """There is exactly one API call, which has each file, or the text, byte for byte."""
    sent = sandbox.only_message()
    given = read(path)
    case.assertEqual(_sha256(sent["text_body"].rstrip().encode()),
                     _sha256(given["text"].rstrip().encode()))  # fmt: skip
    message_id = sandbox.list()[0]["message_id"]
    for number, entry in enumerate(given["attachments"], 1):
        expected = _sha256(pathlib.Path(entry["path"]).read_bytes())
        case.assertEqual(_sha256(sandbox.attachment(message_id, number)), expected)


def read(path):
    """A message.json."""
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def _people(texts):
    return [email.utils.parseaddr(text) for text in texts or []]


def _sha256(content):
    return hashlib.sha256(content).hexdigest()


# What is checked one by one, in the order of the matrix's columns, and the limits of clients
# (composers.py) that concern each.
LEAVES = {
    "To, Cc": ("quoted display names", "several recipients"),
    "Bcc": ("several recipients",),
    "text": ("From at a line's start", "dot in front of a dot", "dots at line starts"),
    "HTML": ("line ends of HTML",),
    "inline image": ("Content-ID", "Content-ID of its own"),
    "attachments": ("line ends of text files", "media types"),
    "emoji": (),
    "headers": ("custom headers",),
}


def check(case, sandbox, own_headers=(), limits=(), text=TEXT, html=HTML, people=PEOPLE):
    """There is exactly one API call, which has everything that was written. `own_headers` are those
    that the client adds itself; `limits` names what it cannot express, and such a leaf is not
    expected; `text` and `html` are the bodies of programs whose editors write them in their own
    way; `people` are To, Cc and Bcc. Returns the leaves that were seen: all that `limits` does not
    name."""
    sent = sandbox.only_message()
    message_id = sandbox.list()[0]["message_id"]
    files = _files(case, sandbox, sent, message_id)
    if "attachments" in limits:
        case.assertEqual(list(files), [])
    checks = {
        "To, Cc": lambda: _check_people(case, sent, limits, people),
        "Bcc": lambda: case.assertEqual(_addresses(sent, "bcc"), [a for _, a in people[2]]),
        "text": lambda: _check_text(case, sent, limits, text),
        "HTML": lambda: _check_html(case, sent, limits, html),
        "inline image": lambda: _check_file(case, files, LOGO, limits),
        "attachments": lambda: [_check_file(case, files, f, limits) for f in ATTACHMENTS],
        "emoji": lambda: _check_emoji(case, sent),
        "headers": lambda: _check_headers(case, sent, own_headers, limits),
    }
    seen = [leaf for leaf in LEAVES if leaf not in limits]
    for leaf in seen:
        checks[leaf]()
    case.assertEqual(list(files), [], "more than was attached")
    if "HTML" in limits:
        case.assertNotIn("html_body", sent)
    if "To, Cc" in limits:
        shown = [address for _, address in people[0] + people[1]]
        case.assertEqual(_addresses(sent, "to", "cc"), shown)
    known = {"from", "to", "cc", "bcc", "subject", "text_body", "html_body", "attachments"}
    custom = set() if "custom headers" in limits else {"tags", "metadata"}
    case.assertEqual(set(sent) - known, {"headers"} | custom)
    return seen


def _addresses(sent, *fields):
    return [address for field in fields for _, address in _people(sent.get(field))]


def _check_people(case, sent, limits, people):
    case.assertEqual(_people([sent["from"]]), [FROM])
    to = _people(sent["to"])
    if "quoted display names" in limits:
        to = [(name.strip('"'), address) for name, address in to]
    case.assertEqual(to, people[0])
    case.assertEqual(_people(sent.get("cc")), people[1])


def _check_text(case, sent, limits, expected):
    """The text's line ends are line feeds, and nothing else in it changes. Many composers add a
    line end to a body, so line ends at the very end are not compared."""
    if "From at a line's start" in limits:
        expected = expected.replace("\nFrom ", "\n>From ")
    if "dot in front of a dot" in limits:
        expected = expected.replace("\n..", "\n.")
    if "dots at line starts" in limits:
        expected = expected.replace("\n.", "\n..")
    case.assertEqual(sent["text_body"].rstrip("\n"), expected.rstrip("\n"))


def _check_html(case, sent, limits, expected):
    html = sent["html_body"].replace("\r\n", "\n").rstrip("\n")
    if "line ends of HTML" in limits:
        html = html.replace("\n\n", "\n")
    if "Content-ID of its own" in limits:
        picture = next(d for d in sent["attachments"] if d["filename"] == LOGO.name)
        expected = expected.replace(CONTENT_ID, picture["content_id"])
    case.assertEqual(html, expected.rstrip("\n"))


def _check_emoji(case, sent):
    """They are in the subject, in the text and in the name of a file, and no other letter is
    lost."""
    case.assertEqual(sent["subject"], SUBJECT)
    case.assertIn("夏の便り 👋", sent["text_body"])
    names = [described["filename"] for described in sent.get("attachments", [])]
    case.assertTrue(not names or "🎉 party.zip" in names, names)


def _check_headers(case, sent, own_headers, limits):
    """Reply-To and a header of the sender's own arrive, tags and metadata are in their fields, and
    no X-Postscale header is left."""
    headers = {name.lower(): value for name, value in sent["headers"].items()}
    case.assertEqual([a for _, a in _people([headers.pop("reply-to")])], [REPLY_TO])
    if "custom headers" not in limits:
        case.assertEqual(headers.pop("x-my-header"), HEADERS["X-My-Header"])
        case.assertEqual(sent["tags"], TAGS)
        case.assertEqual(sent["metadata"], METADATA)
    case.assertEqual(sorted(headers), sorted(own_headers))


def _files(case, sandbox, sent, message_id):
    """{name: (what the call says of it, content)}."""
    found = {}
    for number, described in enumerate(sent.get("attachments", []), 1):
        case.assertNotIn(described["filename"], found)
        found[described["filename"]] = (described, sandbox.attachment(message_id, number))
    return found


def _check_file(case, files, file, limits):
    """It arrives once, byte for byte, under its name; the picture with its Content-ID."""
    described, content = files.pop(file.name)
    if file.kind.startswith("text/") and "line ends of text files" in limits:
        content = content.replace(b"\r\n", b"\n")
    case.assertEqual(_sha256(content), _sha256(file.content), file.name)
    if "media types" not in limits:
        case.assertEqual(described["content_type"].split(";")[0], file.kind, file.name)
    if file is LOGO and "Content-ID of its own" in limits:
        return  # The HTML has it: _check_html.
    is_inline = file is LOGO and "Content-ID" not in limits
    case.assertEqual(described.get("content_id"), CONTENT_ID if is_inline else None)
