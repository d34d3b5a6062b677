"""The one message that every client is given to send, and what has to arrive at the API.

`write` puts it into a folder, as files and as `message.json` that names them; a program reads that
and composes with the means of its own library. `check` compares the whole API call with it.
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
REPLY_TO = "replies@yourdomain.com"
SUBJECT = "Grüße aus Zürich 🎉 夏の便り: a subject that is long enough to be folded twice 📬"
# Dots alone and doubled, a line that mbox would quote, blanks at the end, three scripts.
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
    """Writes the message's files and `message.json`, whose path is returned. Without `rich` it is
    text alone; `to` and `headers` stand in for the usual ones."""
    folder = pathlib.Path(folder)
    for file in [LOGO, *ATTACHMENTS]:
        # Programs that take a name from the path get the real one in a folder of its own.
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


def _people(texts):
    return [email.utils.parseaddr(text) for text in texts or []]


def _sha256(content):
    return hashlib.sha256(content).hexdigest()


def check(case, sandbox, own_headers=(), limits=()):
    """Exactly one API call, and in it everything that was written. `own_headers` are those that
    the client adds of itself; `limits` name what it cannot express (see composers.py)."""
    sent = sandbox.only_message()
    message_id = sandbox.list()[0]["message_id"]
    case.assertEqual(_people([sent["from"]]), [FROM])
    to = _people(sent["to"])
    if "quoted display names" in limits:
        to = [(name.strip('"'), address) for name, address in to]
    case.assertEqual(to, TO)
    case.assertEqual(_people(sent.get("cc")), CC)
    case.assertEqual([address for _, address in _people(sent.get("bcc"))], [BCC[0][1]])
    case.assertEqual(sent["subject"], SUBJECT)
    _check_bodies(case, sent, limits)
    _check_attachments(case, sandbox, sent, message_id, limits)
    headers = {name.lower(): value for name, value in sent["headers"].items()}
    case.assertEqual(_people([headers.pop("reply-to")]), [("", REPLY_TO)])
    case.assertEqual(headers.pop("x-my-header"), HEADERS["X-My-Header"])
    case.assertEqual(sorted(headers), sorted(own_headers))
    case.assertEqual(sent["tags"], TAGS)
    case.assertEqual(sent["metadata"], METADATA)
    known = {"from", "to", "cc", "bcc", "subject", "text_body", "html_body", "attachments"}
    case.assertEqual(set(sent) - known, {"headers", "tags", "metadata"})


def _check_bodies(case, sent, limits):
    """The text's line ends are line feeds and nothing else changes in it; many composers end a
    body with a line end of their own, so those at its very end are not compared."""
    expected = TEXT.replace("\nFrom ", "\n>From ") if "From at a line's start" in limits else TEXT
    case.assertEqual(sent["text_body"].rstrip("\n"), expected.rstrip("\n"))
    html = sent["html_body"].replace("\r\n", "\n").rstrip("\n")
    if "line ends of HTML" in limits:
        html = html.replace("\n\n", "\n")
    case.assertEqual(html, HTML.rstrip("\n"))


def _check_attachments(case, sandbox, sent, message_id, limits):
    """Every file once, byte for byte, under its name; the picture with its Content-ID."""
    found = {}
    for number, described in enumerate(sent["attachments"], 1):
        content = sandbox.attachment(message_id, number)
        case.assertNotIn(described["filename"], found)
        found[described["filename"]] = (described, content)
    for file in [LOGO, *ATTACHMENTS]:
        described, content = found.pop(file.name)
        if file.kind.startswith("text/") and "line ends of text files" in limits:
            content = content.replace(b"\r\n", b"\n")
        case.assertEqual(_sha256(content), _sha256(file.content), file.name)
        essence = described["content_type"].split(";")[0]
        case.assertEqual(essence, file.kind, file.name)
        is_inline = file is LOGO and "Content-ID" not in limits
        case.assertEqual(described.get("content_id"), CONTENT_ID if is_inline else None)
    case.assertEqual(list(found), [], "more than was attached")
