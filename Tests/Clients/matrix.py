"""Makes docs/clients.md of what a run of the tests noted in $CLIENTS_REPORT (`make clients-table`).

A cell without a note was not run. A cell that is more than a yes is explained below the table; so
is what a client cannot express at all.
"""

import json
import pathlib
import sys

import composers
import languages
import support
import test_sendmails

ENCRYPTIONS = ["starttls", "tls"]
COLUMNS = [*ENCRYPTIONS, *composers.ROWS]
OPENING = """# Clients

Real programs, of Debian's packages but for Python, each configured as its own documents say, with
the host, the port and the key of a relay and with its certificate verified. `make test-clients`
runs them; `make clients-table` runs them and writes this page.

Each sends one message: text, HTML, an inline image, three attachments with names beyond ASCII, an
emoji subject, To with display names, Cc, Bcc, Reply-To, tags and metadata. Under STARTTLS and TLS
"yes" means that the one API call held all of it, leaf by leaf. In the other columns, a row of the
product's error table each, it means that what the person sees has the relay's text.
"""


def cells(path):
    """{client: (version, {column: text})}, the last note of a cell."""
    found = {}
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        cell = json.loads(line)
        _, columns = found.setdefault(cell["client"], (cell["version"], {}))
        columns[cell["column"]] = cell["text"]
    return found


class Notes:
    """Numbers for what is said below the tables; the same words have the same number."""

    def __init__(self):
        self.texts = []

    def number(self, text):
        if text not in self.texts:
            self.texts.append(text)
        return f"({self.texts.index(text) + 1})"


def table(title, clients, columns, found, notes):
    lines = [f"\n## {title}\n", "| client | version | " + " | ".join(columns) + " |"]
    lines.append("| --- " * (len(columns) + 2) + "|")
    for client in clients:
        version, texts = found.get(client.name, ("not run", {}))
        row = []
        for column in columns:
            if column in ENCRYPTIONS and column not in client.encryptions:
                row.append(notes.number("the client has no TLS from the first byte"))
                continue
            text = texts.get(column, "not run")
            limits = [f"{what}: {why}" for what, why in client.limits.items()]
            marks = [notes.number(limit) for limit in limits] if column in ENCRYPTIONS else []
            plain = text in ("yes", "not run")
            row.append(" ".join([text if plain else notes.number(text), *marks]))
        lines.append(f"| {client.name} | {version} | " + " | ".join(row) + " |")
    return lines


def main():
    found = cells(sys.argv[1])
    notes = Notes()
    known = composers.COMPOSERS + languages.LANGUAGES
    lines = table("Composers and libraries", known, COLUMNS, found, notes)
    queue = [*ENCRYPTIONS, "API unavailable", "suppressed"]
    lines += table("Sendmails", test_sendmails.SENDMAILS, queue, found, notes)
    lines += ["\n## Notes\n"]
    lines += [f"{index}. {text}" for index, text in enumerate(notes.texts, 1)]
    target = support.harness.ROOT / "docs/clients.md"
    target.write_text(OPENING + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
