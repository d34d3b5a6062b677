"""Makes docs/clients.md of what a run of the tests noted in $CLIENTS_REPORT (`make clients-table`).

A note (support.note) names its client and the client's group, a column, and what was seen: "yes",
or the reason why not, which stands below the tables under a number; "yes: " and a remark is both.
Whatever was noted appears: a group, a client or a column that this file does not name comes behind
those that it does. A cell without a note was not run.
"""

import json
import pathlib
import sys

import composers
import message
import support

GROUPS = ["Composers and libraries", "Sendmails", "Desktop programs"]
# The columns of each table of a group: what goes out, then what the relay's refusals look like.
DELIVERY = ["starttls", "tls", "verifies", "PLAIN", "LOGIN", "50 MB", *message.LEAVES]
TABLES = [("what arrives", DELIVERY), ("what is shown of the relay's errors", composers.ROWS)]
TITLES = {"starttls": "STARTTLS", "tls": "TLS"}
OPENING = """# Clients

Real programs, of Debian's packages but for Python, and Twisted and aiosmtplib from PyPI, each
configured as its own documents say, with the host, the port and the key of a relay and with its
certificate verified. `make test-clients` runs them; `make clients-table` runs them and writes this
page.

Each sends one message: text, HTML, an inline image, three attachments with names beyond ASCII, an
emoji subject, To with display names, Cc, Bcc, Reply-To, tags and metadata; once over STARTTLS, once
over TLS from the first byte. "yes" there means that the one API call held all that the client can
express. The columns of its leaves say what that is: people with their names, hidden recipients,
text, HTML, the picture with its Content-ID, attachments byte for byte, emoji in subject, text and
file name, headers with tags and metadata and no other. It verifies when it does not log in to a
server with another certificate. Under PLAIN and LOGIN it was told to log in that way, or does so of
itself, or was offered nothing else, and was listened to. Under 50 MB it sent 38 million bytes of
attachments, 52 million as base64, of the 52,428,800 that a message may have.

In the columns of the product's error table "yes" means that what the person sees has the relay's
text: on the screen or in the exception, and from a sendmail with a queue in a bounce, in the list
of its queue or in its log. Of what is refused for the moment only, a note says whether the queue
tries again.

A number is explained below the tables. [Thunderbird](thunderbird.md) has a page of its own, with
pictures.
"""


def cells(path):
    """{group: {client: (version, {column: text})}}, the last note of a cell."""
    found = {group: {} for group in GROUPS}
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        cell = json.loads(line)
        group = found.setdefault(cell["group"], {})
        group.setdefault(cell["client"], (cell["version"], {}))[1][cell["column"]] = cell["text"]
    return found


class Notes:
    """Numbers for what is said below the tables; the same words have the same number."""

    def __init__(self):
        self.texts = []

    def number(self, text):
        if text not in self.texts:
            self.texts.append(text)
        return f"({self.texts.index(text) + 1})"


def shown(text, notes):
    """A cell: yes, yes with a remark's number, or the number of the reason why not."""
    if text in ("yes", "not run"):
        return text
    word, colon, remark = text.partition(": ")
    return f"yes {notes.number(remark)}" if word == "yes" and colon else notes.number(text)


def table(title, columns, clients, notes):
    names = [TITLES.get(column, column) for column in columns]
    lines = [f"\n{title}\n", "| client | version | " + " | ".join(names) + " |"]
    lines.append("| --- " * (len(columns) + 2) + "|")
    for name, (version, texts) in clients.items():
        row = []
        for column in columns:
            row.append(shown(texts.get(column, "not run"), notes))
        lines.append(f"| {name} | {version} | " + " | ".join(row) + " |")
    return lines


def section(group, clients, notes):
    """The tables of one group; what nobody of it was asked has no column."""
    noted = {column for _, texts in clients.values() for column in texts}
    lines = [f"\n## {group}"]
    for title, known in TABLES:
        columns = [column for column in known if column in noted]
        noted -= set(columns)
        if columns:
            lines += table(f"{group}: {title}", columns, clients, notes)
    if noted:
        lines += table(f"{group}: besides", sorted(noted), clients, notes)
    return lines


def main():
    notes = Notes()
    lines = []
    for group, clients in cells(sys.argv[1]).items():
        if clients:
            lines += section(group, clients, notes)
    lines += ["\n## Notes\n"]
    lines += [f"{index}. {text}" for index, text in enumerate(notes.texts, 1)]
    target = support.harness.ROOT / "docs/clients.md"
    # What people wrote stands behind the mark, and stays.
    written = target.read_text(encoding="utf-8").partition(MARK)[2]
    page = OPENING + "\n".join(lines) + "\n" + (f"\n{MARK}{written}" if written else "")
    target.write_text(page, encoding="utf-8")


MARK = "<!-- Below: written by hand; matrix.py keeps it. -->\n"


if __name__ == "__main__":
    main()
