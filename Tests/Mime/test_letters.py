"""The letters of ../shared/corpus/letters: what each must become, row by row of their README.

    LETTERS=folder python3 -m unittest test_letters     with a relay of RELAY_BINARY

Each row names a letter and says what must be true of the line that `explain --json` prints for it. A
row is written from the README and the RFCs, in our own words; the letters themselves stay where they
are. Without the folder the tests are skipped, and say so.
"""

import base64
import os
import re
import unittest

from explain import ROOT, Explainer

FOLDER = os.environ.get("LETTERS", os.path.join(ROOT, "../shared/corpus/letters"))

#: letter -> list of (flags of explain, list of checks).
ROWS = {}

#: The kind of loss in each case, as MappingLosses names it.
SIGNATURE, ENCRYPTION = "signature", "encryption"
FORMS, PARTIAL, EXTERNAL = "alternatives_not_shown", "partial_messages", "external_bodies"


class Letter:
    """What `explain` says of one letter."""

    def __init__(self, explanation):
        self.losses = explanation["losses"]
        self.refused = explanation.get("refused")
        self.request = explanation.get("request", {})
        self.text = self.request.get("text_body")
        self.html = self.request.get("html_body")
        self.headers = {name.lower(): value
                        for name, value in self.request.get("headers", {}).items()}
        self.files = self.request.get("attachments", [])

    def field(self, path):
        """`subject`, `headers.sender`, `files.0.filename`; None when it is not there."""
        value = {**self.request, "headers": self.headers, "files": self.files,
                 "losses": self.losses, "refused": self.refused}
        for key in path.split("."):
            if isinstance(value, list):
                value = value[int(key)] if int(key) < len(value) else None
            else:
                value = value.get(key) if value is not None else None
        return value


def row(letter, *checks, flags=()):
    """A letter, and what must be true of it under these flags of `explain`."""
    ROWS.setdefault(letter, []).append((flags, checks))


def same(path, *allowed):
    """The field is one of these values; None stands for an absent one."""
    def check(letter):
        value = letter.field(path)
        return None if value in allowed else f"{path} is {value!r}, not {' or '.join(map(repr, allowed))}"
    return check


def matches(path, pattern):
    """The field is a text in which the whole pattern is found."""
    def check(letter):
        value = letter.field(path)
        found = isinstance(value, str) and re.search(pattern, value, re.S)
        return None if found else f"{path} is {value!r}, not like {pattern!r}"
    return check


def absent(*paths):
    def check(letter):
        found = [f"{path} is {letter.field(path)!r}" for path in paths if letter.field(path) is not None]
        return f"there must not be: {'; '.join(found)}" if found else None
    return check


def files(*names):
    """The attachments, by their names, in order."""
    def check(letter):
        found = [file["filename"] for file in letter.files]
        return None if found == list(names) else f"files are {found}, not {list(names)}"
    return check


def content(index, pattern):
    """The bytes of an attachment, in which the pattern is found."""
    def check(letter):
        data = base64.b64decode(letter.files[index]["content"]) if index < len(letter.files) else b""
        return None if re.search(pattern, data, re.S) else f"file {index} is {data[:200]!r}"
    return check


def counted(*kinds):
    """Each of these kinds of loss is counted."""
    def check(letter):
        missing = [kind for kind in kinds if not letter.losses.get(kind)]
        return f"not counted: {missing}; counted: {letter.losses}" if missing else None
    return check


def nothing_lost(letter):
    return f"counted: {letter.losses}" if letter.losses else None


def plain_strings(letter):
    """No control character in any field but a tab or a line end."""
    def walk(value):
        if isinstance(value, dict):
            for key, item in value.items():
                yield from walk(key)
                yield from walk(item)
        elif isinstance(value, list):
            for item in value:
                yield from walk(item)
        elif isinstance(value, str):
            yield value
    wrong = [text for text in walk(letter.request) if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text)]
    return f"control characters in {wrong}" if wrong else None


def shown_in_html_as(index):
    """The HTML names the attachment by `cid:`, written as it is or percent-escaped."""
    def check(letter):
        identifier = letter.field(f"files.{index}.content_id")
        named = re.findall(r'src="cid:([^"]*)"', letter.html or "")
        decoded = [re.sub("%(..)", lambda hexa: chr(int(hexa[1], 16)), name) for name in named]
        return None if identifier in decoded else f"file {index} has the id {identifier!r}; {named}"
    return check


# Bodies

row("r01-plain-then-html-footer",
    matches("html_body", r"The lift is out of order until Friday\..*<hr><small>Sent to you"),
    absent("text_body"), files(), nothing_lost)
row("r03-html-with-text-file-attachment",
    same("html_body", "<p>The backup failed, see the log.</p>"), absent("text_body"),
    files("backup.log"), matches("files.0.content_type", "^text/plain"),
    content(0, rb"^03:00 started\r\n03:01 no space left$"), nothing_lost)
row("r03-html-with-text-file-inline",
    same("html_body", "<p>The backup failed, see the log.</p>"), absent("text_body"),
    files("backup.log"), matches("files.0.content_type", "^text/plain"),
    content(0, rb"^03:00 started\r\n03:01 no space left$"), nothing_lost)
row("r03-text-with-html-file",
    same("text_body", "Please find the report of the week in the attached file."),
    absent("html_body"), files("report.html"), matches("files.0.content_type", "^text/html"),
    nothing_lost)
row("r04b-apple-mail-plain",
    matches("text_body", r"^Before the picture\.\n+After the picture\.\n?$"), absent("html_body"),
    files("a.png"), nothing_lost)
row("r04d-blank-text-then-alternative",
    same("text_body", "The offer is 12 euros."),
    same("html_body", "<p>The offer is <b>12</b> euros.</p>"), files(), nothing_lost)
row("r46-apple-html-file-first",
    same("html_body", "<html><body><b>Please sign this today.</b></body></html>"),
    absent("text_body"), files("a.pdf"))
row("r17b-enriched", same("text_body", "plain form"), absent("html_body"), files(), counted(FORMS))
row("21-enriched-alternative",
    same("text_body", "Hello"), same("html_body", "<p>Hello</p>"), files(), counted(FORMS))
row("r18-invitation",
    same("text_body", "Planning on Tuesday"), same("html_body", "<p>Planning on Tuesday</p>"),
    files("meeting.ics"), matches("files.0.content_type", r"^text/calendar\b.*\bmethod=\"?REQUEST"),
    content(0, rb"^BEGIN:VCALENDAR\r\n"), nothing_lost)
row("r18b-invitation-alone",
    same("text_body", "\n"), absent("html_body"), files("invite.ics"),
    matches("files.0.content_type", r"^text/calendar\b.*\bmethod=\"?REQUEST"), nothing_lost)

# Charsets

for charset, words in [("gb2312", "账单已付"), ("iso-2022-jp", "請求書です"),
                       ("iso-8859-2", "Zażółć gęślą"), ("windows-1251", "Счёт оплачен")]:
    row(f"r06-meta-{charset}", matches("html_body", f"<p>{words}</p>"), nothing_lost)
row("r07-stale-meta", matches("html_body", "<body>à côté</body>"), nothing_lost)
row("r08b-jis-subject-declared-body",
    same("subject", "テスト"), same("text_body", "これは試験です。\n田中\n"), nothing_lost)
for charset, words in [("euc-kr", "주문 확인"), ("gb2312", "订单已发货"),
                       ("shift_jis", "ご注文の確認"), ("windows-1251", "Счёт за март")]:
    row(f"r09-raw-subject-{charset}", same("subject", words),
        same("from", f"{words} <a@example.com>", f'"{words}" <a@example.com>'),
        same("text_body", words + "\n"), nothing_lost)
row("r24-bom", same("from", "Ann <a@example.com>"), same("subject", "Invoice"),
    same("text_body", "Text behind a mark\n"))
row("r24c-bom-html", same("html_body", "<!DOCTYPE html><p>Grüße</p>\n"))
row("12-unknown-charset-in-encoded-word",
    same("subject", "=?x-nobody-knows?Q?Hello=2C_Se=F1or?="), counted("charsets_unknown"))
row("13-utf8-labelled-iso-2022-jp", same("text_body", "こんにちは\n"))

# Headers

COMMA = '"Müller, Jörg" <a@example.com>'
row("r05-encoded-comma", same("from", COMMA),
    *[same(f"headers.{name}", COMMA) for name in (
        "reply-to", "disposition-notification-to", "return-receipt-to", "resent-from",
        "errors-to")],
    same("headers.mail-followup-to", COMMA + ", c@example.com"), nothing_lost)
row("r12b-list-unsubscribe-folded",
    same("headers.list-unsubscribe",
         "<https://news.example.com/unsubscribe?document=7&email=b%40example.com"
         "&token=0123456789abcdef0123456789abcdef>"),
    same("headers.list-unsubscribe-post", "List-Unsubscribe=One-Click"))
row("r15-many-received", same("refused", "554 Too many hops"))
row("r23-two-senders", same("headers.sender", "Sec <s@example.com>"))
row("r41-twice",
    same("headers.reply-to", "Ann <a@example.com>"), same("headers.x-priority", "1"),
    same("headers.importance", "high"), same("headers.list-unsubscribe", "<https://example.com/u>"),
    same("headers.references", "<x@example.com> <y@example.com>"),
    same("headers.in-reply-to", "<x@example.com>", "<x@example.com> <x@example.com>"),
    same("headers.auto-submitted", "auto-generated", "auto-generated, auto-generated"),
    same("headers.x-mailer", "M 1", "M 1, M 1"),
    same("headers.precedence", "bulk", "bulk, bulk"),
    same("headers.organization", "O", "O, O"))
row("18-control-characters", plain_strings, matches("from", "^\"?A ?B\"? <a@example.com>$"),
    matches("subject", "^a ?b$"), matches("headers.x-a", "^a ?b$"),
    same("text_body", "NUL: \ufffd.\n"), counted("characters_replaced"))

# Names and addresses

row("05-quotes-in-encoded-word",
    same("from", '"Jörg Beispiel" <joerg@example.com>', "Jörg Beispiel <joerg@example.com>",
         r'"\"Jörg Beispiel\"" <joerg@example.com>'),
    same("to.0", '"Zoë" <zoe@example.com>', "Zoë <zoe@example.com>", r'"\"Zoë\"" <zoe@example.com>'),
    same("subject", '"Grüße"'), nothing_lost)
row("05b-parentheses-in-encoded-word", same("from", '"Jörg (Sales)" <joerg@example.com>'),
    nothing_lost)
row("14-from-without-domain", same("from", "Mail Delivery Subsystem <sender@example.com>"))
row("c2-from-in-one-word", same("from", "Zoë <alerts@example.com>"))
row("c3-encoded-list-comma",
    same("to", ['"Jörg, Müller 11 Größenordnung" <user11@example.com>', "Zoë <zoe@example.com>"]))
ENVELOPE = ("--rcpt", "b@example.com", "--rcpt", "e@example.com")
row("r50-whole-address-encoded", same("from", "Änn Müller <a@example.com>"),
    same("to", ["Bób <b@example.com>", "e@example.com"]),
    same("headers.reply-to", "Änn Müller <a@example.com>"), absent("bcc"), flags=ENVELOPE)
row("r19-idn-to", matches("to.0", r"^Bob <b@(bücher|xn--bcher-kva)\.example>$"),
    absent("to.1", "cc", "bcc"), flags=("--rcpt", "b@xn--bcher-kva.example"))
row("r19c-trailing-dot", matches("to.0", r"^Bob <b@example\.org\.?>$"), absent("to.1", "cc", "bcc"),
    flags=("--rcpt", "b@example.org"))

# Files and pictures

row("c1-disposition-in-one-word", same("text_body", "hello"), files("Ü.pdf"),
    same("files.0.content_type", "application/pdf"))
row("07-encoded-word-in-extended-filename", files("fünf.zip", "fünf.zip", "fünf.zip"))
row("r28-description", files("offer 12.pdf"), nothing_lost)
row("r10-content-id-encoded",
    same("files.0.content_id", "0123456789abcdef" * 4 + "@mailer.0"), shown_in_html_as(0))
row("r27-content-location", *[shown_in_html_as(index) for index in range(3)],
    same("files.1.content_id", "second@x"), same("files.2.content_id", "third"))
row("r45-cid-of-an-attachment", files("banner.png"), same("files.0.content_id", "banner.png"))
row("04-cid-of-an-attachment", files("smile.png"), same("files.0.content_id", "smile-1"),
    same("text_body", "Hi"), shown_in_html_as(0), nothing_lost)

# Signed, encrypted, partial, elsewhere

row("r16-smime-opaque", files("smime.p7m"), counted(SIGNATURE),
    matches("files.0.content_type", "^application/pkcs7-mime;.*smime-type=\"?signed-data"))
row("r16b-smime-detached", same("text_body", "Grüße"), files("smime.p7s"), counted(SIGNATURE),
    matches("files.0.content_type", "^application/pkcs7-signature"))
row("r16c-pgp-encrypted", counted(ENCRYPTION), matches("files.0.content_type", "^application/pgp-encrypted"),
    same("files.1.filename", "encrypted.asc"), content(1, rb"^-----BEGIN PGP MESSAGE-----\r\n"))
for name in ("r16-smime-opaque", "r16b-smime-detached", "r16c-pgp-encrypted"):
    row(name, matches("refused", "^554 "), flags=("--refuse-encrypted",))
row("r37-partial", counted(PARTIAL),
    *[matches("files.0.content_type", f"^message/partial;.*{parameter}") for parameter in (
        'id="?x@example.com', 'number="?1', 'total="?2')],
    content(0, rb"first half\r\n$"))
row("r38-external-body", counted(EXTERNAL),
    *[matches("files.0.content_type", f"(?i)^message/external-body;.*{parameter}") for parameter in (
        'access-type="?URL', 'URL="https://files.example.com/a.pdf"')])

# Structure that is broken

row("01-part-separator-of-blanks", counted("headers_malformed"),
    matches("text_body", r"^\s*Hello Bob,\nthe file is ready\.\nNote: it is large\.\n\nRegards$"))
row("01c-part-header-line-not-counted", matches("text_body", "(^|\n)Hello$"), counted("headers_malformed"))
row("02-header-without-blank-line", same("subject", "no blank line"), matches(
    "text_body", r"^Hello Bob,\nthe report is ready:\nhttp://www\.example\.com/report\n"
    r"Please read it today\.\n\nAnn\n$"))
row("03-first-line-of-blanks", same("from", "Ann <ann@example.com>"), same("text_body", "Hello"),
    same("subject", "saved by a webmail that puts a line of blanks first"), files("a.pdf"))
row("03c-first-line-no-field", same("from", "Ann <ann@example.com>"), same("text_body", "Hello\n"),
    same("subject", "first line is no field"), counted("headers_malformed"))
row("03d-first-line-empty", same("from", "Ann <ann@example.com>"), same("text_body", "Hello\n"),
    same("subject", "first line is empty"))
row("06-text-behind-base64",
    matches("text_body", r"^Hello everybody!\n\nGrüße\n\s*_{47}\nExample mailing list\n"
                         r"https://lists\.example\.com/listinfo/example\n$"))
row("08-unknown-transfer-encoding", same("text_body", "Hello Bob\n"), files(),
    counted("encodings_irregular"))
row("10-last-field-with-a-bad-name", same("html_body", "<p>Hello Bob</p>\n"), absent("text_body"),
    absent("headers.x-sender ip", "headers.x-sender"), counted("headers_malformed"))
row("11-qp-message-part", same("text_body", "Undelivered."),
    content(0, rb'<a href=3D"http://example\.com/\?a=3D41">x</a>'))
row("16-delimiter-taken-for-a-field", same("text_body", "Hello"), files(), absent("headers.----9="))
row("17-parameter-line-not-indented", same("text_body", "Hello"), same("html_body", "<p>Hello"))
row("19-plain-text-labelled-base64",
    same("text_body", "Hello Bob, this is plain text.\nRegards\n"), counted("encodings_irregular"))
row("20-last-field-with-letters-beyond-ascii", same("text_body", "Hello\n"), counted("headers_malformed"),
    lambda letter: f"headers are {letter.headers}" if letter.headers else None)
row("c9-stray-semicolon-line", same("html_body", "<p>hello"), absent("text_body"))


@unittest.skipUnless(os.path.isdir(FOLDER), f"there is no folder {FOLDER}")
class Letters(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.explainers = {}
        for rows in ROWS.values():
            for flags, _ in rows:
                if flags not in cls.explainers:
                    cls.explainers[flags] = Explainer(*flags)

    @classmethod
    def tearDownClass(cls):
        for explainer in cls.explainers.values():
            explainer.close()

    def test_each_letter_has_a_row(self):
        there = {name[:-4] for name in os.listdir(FOLDER) if name.endswith(".eml")}
        self.assertEqual(there ^ ROWS.keys(), set())

    def test_each_letter_becomes_what_its_row_says(self):
        for name, rows in sorted(ROWS.items()):
            for flags, checks in rows:
                with self.subTest(" ".join((name, *flags))):
                    path = os.path.join(FOLDER, name + ".eml")
                    letter = Letter(self.explainers[flags].explain_file(path))
                    problems = [check(letter) for check in (*checks, plain_strings)]
                    problems = [problem for problem in problems if problem]
                    self.assertEqual(problems, [])


if __name__ == "__main__":
    unittest.main()
