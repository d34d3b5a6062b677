"""Writes docs/evidence/clients.md from a run's $CLIENTS_REPORT (`make check-clients-table`).

A note (support.note) names its client and the client's group, a column, and what was seen: "yes",
or the reason why not, which is listed below the tables under a number; "yes: " with a remark is both.
Every note appears: a group, a client or a column that this file does not name comes after those
that it names. A cell without a note was not run. docs/clients.md is written by hand.
"""

import datetime
import json
import pathlib
import sys

import composers
import message
import support

PAGE = support.harness.ROOT / "docs/evidence/clients.md"
GROUPS = ["Composers and libraries", "Sendmails", "Desktop programs", "Recipes"]
# The columns of each table of a group: what goes out, then what the relay's refusals look like.
DELIVERY = ["sends", "starttls", "tls", "verifies", "PLAIN", "LOGIN", "50 MB", *message.LEAVES]
ERRORS = [*composers.ROWS, "refused"]
TABLES = [("what arrives", DELIVERY), ("what is shown of the relay's errors", ERRORS)]
TITLES = {"starttls": "STARTTLS", "tls": "TLS"}
OPENING = """# Evidence: clients

`make check-clients-table` wrote this page of a run on {date}; [clients.md](../clients.md) says
what follows from it. Each client is configured as its own documents say, with the host, the port
and the key of a relay, and is told to verify the relay's certificate.

Each sends one message: text, HTML, an inline image, three attachments with names beyond ASCII, an
emoji subject, To with display names, Cc, Bcc, Reply-To, tags and metadata; once over STARTTLS, once
over TLS from the first byte. "yes" means that the one API call held all that the client can
express.

| column | "yes" means |
| --- | --- |
| sends | with the lines of [recipes.md](../recipes.md), by its own message |
| STARTTLS, TLS | the whole message arrived over it |
| verifies | it does not log in to a server with another certificate |
| PLAIN, LOGIN | it logged in that way: by its setting, by its own choice, or because nothing else was offered |
| 50 MB | 38 million bytes of attachments arrived: 52 million as base64, of the 52,428,800 that a message may have |
| To, Cc … headers | people with their names; hidden recipients; text; HTML; the picture with its Content-ID; attachments byte for byte; emoji in subject, text and file name; headers with tags and metadata and no other |
| the relay's errors | the user sees the relay's text: on the screen, in the exception, or, from a sendmail with a queue, in a bounce, in the list of its queue or in its log. For temporary refusals a note says whether the queue tries again |

A number is explained below the tables.
"""


def cells(path):
    """{group: {client: (version, {column: text})}}, the last note of a cell."""
    found = {group: {} for group in GROUPS}
    for line in path.read_text(encoding="utf-8").splitlines():
        cell = json.loads(line)
        group = found.setdefault(cell["group"], {})
        group.setdefault(cell["client"], (cell["version"], {}))[1][cell["column"]] = cell["text"]
    return found


class Notes:
    """Numbers for the notes below the tables; the same words have the same number."""

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
    """The tables of one group; a column without a note is left out."""
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
    report = pathlib.Path(sys.argv[1])
    notes = Notes()
    lines = []
    for group, clients in cells(report).items():
        if clients:
            lines += section(group, clients, notes)
    lines += ["\n## Notes\n"]
    lines += [f"{index}. {text}" for index, text in enumerate(notes.texts, 1)]
    date = datetime.date.fromtimestamp(report.stat().st_mtime)
    opening = OPENING.replace("{date}", str(date))
    PAGE.write_text(opening + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
