#!/usr/bin/env python3
"""Reads every .eml file below a folder with the relay and compares it with another reading.

    score.py FOLDER [OUTPUT]

OUTPUT gets the relay's reading of each message as one line of JSON. The other reading is the .json
file beside a message (the form of the mail-parser project), else Python's `email` package. It
prints the agreements by folder and kind, and the differences that `explained.txt` explains. It ends
with status 1 when a difference is not explained or a message could not be read.
"""

import base64
import binascii
import collections
import glob
import json
import os
import quopri
import re
import sys

from compare import clean, clean_pair, line_feeds, lost_leaves, once
from explain import Explainer
from views import Entity, Reading, email_reading, relay_reading

KINDS = ["subject", "from", "recipients", "structure", "leaves"]


def explanations():
    """{(file, kind): reason} of explained.txt: `folder/file.eml kind: reason`."""
    found = {}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "explained.txt")
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                place, reason = line.strip().split(": ", 1)
                name, kinds = place.split(" ")
                for kind in kinds.split(","):
                    found[name, kind] = reason
    return found


def reading_beside(path, message):
    """The reading in the .json file beside a message, or None."""
    try:
        with open(os.path.splitext(path)[0] + ".json", encoding="utf-8") as file:
            parsed = json.load(file)
    except FileNotFoundError:
        return None
    parts = parsed["parts"]
    # Its offsets count a line end as one byte.
    source = message.replace(b"\r\n", b"\n")
    reading = Reading()
    for name, value in fields(parts[0]):
        if name == "subject":
            reading.subject = value.get("Text", "")
        elif name == "from":
            reading.sender = (mailboxes(value) or [("", "")])[0]
        elif name in ("to", "cc"):
            target = reading.to if name == "to" else reading.cc
            target[:] = mailboxes(value)
    walk(parts, 0, 0, source, reading.entities)
    return reading


def fields(part):
    for header in part["headers"]:
        name = header["name"]
        yield name if isinstance(name, str) else "", header["value"] \
            if isinstance(header["value"], dict) else {}


def mailboxes(value):
    address = value.get("Address") or {}
    entries = list(address.get("List", []))
    for group in address.get("Group", []):
        entries += group["addresses"]
    return [(entry.get("name") or "", entry["address"]) for entry in entries
            if entry.get("address")]


def walk(parts, index, depth, source, entities):
    part = parts[index]
    kind, charset, encoding = "text/plain", "", ""
    for name, value in fields(part):
        if name == "content_type" and "ContentType" in value:
            content_type = value["ContentType"]
            kind = f"{content_type['c_type']}/{content_type.get('c_subtype') or ''}".lower()
            for attribute in content_type.get("attributes") or []:
                if attribute["name"].lower() == "charset":
                    charset = attribute["value"]
        elif name == "content_transfer_encoding":
            encoding = value.get("Text", "").lower()
    body = part["body"]
    if "Multipart" in body:
        entities.append(Entity(depth, kind))
        for child in body["Multipart"]:
            walk(parts, child, depth + 1, source, entities)
        return
    raw = source[part["offset_body"]:part["offset_end"]]
    entity = Entity(depth, kind, content=raw, charset=charset, raw=raw.decode("latin-1"))
    if encoding == "base64":
        letters = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
        letters = letters[:-1] if len(letters) % 4 == 1 else letters
        entity.content = base64.b64decode(letters + b"=" * (-len(letters) % 4))
    elif encoding == "quoted-printable":
        entity.content = quopri.decodestring(raw)
    elif "uuencode" in encoding or "x-uue" in encoding:
        entity.content = uudecode(raw)
    entities.append(entity)


def uudecode(raw):
    """The lines between `begin` and `end`; blanks at their ends may be missing."""
    _, _, text = raw.partition(b"begin ")
    lines = text.splitlines()[1:]
    content = b""
    for line in lines:
        if line in (b"end", b"`", b""):
            break
        size = (((line[0] - 32) & 63) * 4 + 2) // 3
        content += binascii.a2b_uu(line[:1 + size].ljust(1 + size))
    return content


def compare(ours, theirs, explanation):
    """The kinds in which the two readings differ."""
    different = set()
    if ours.subject != (clean(theirs.subject) or "(no subject)"):
        different.add("subject")
    if theirs.sender[1] and ours.sender != clean_pair(theirs.sender):
        different.add("from")
    if once(ours.to + ours.cc) != once(map(clean_pair, theirs.to + theirs.cc)) \
            and theirs.to + theirs.cc:
        different.add("recipients")
    if [(e.depth, e.type) for e in ours.entities] != [(e.depth, e.type) for e in theirs.entities]:
        different.add("structure")
    if lost_leaves(theirs.leaves, explanation):
        different.add("leaves")
    return different


def main():
    folder = sys.argv[1]
    output = open(sys.argv[2], "w", encoding="utf-8") if len(sys.argv) > 2 else None
    reasons = explanations()
    counts = collections.defaultdict(collections.Counter)
    explained, failed, used = [], [], set()
    files = sorted(glob.glob(os.path.join(folder, "**/*.eml"), recursive=True))
    with Explainer() as explainer:
        for path in files:
            name = "/".join(path.split(os.sep)[-2:])
            group = os.path.dirname(os.path.relpath(path, folder)) or "."
            with open(path, "rb") as file:
                message = file.read()
            explanation = explainer.explain_file(path)
            if output:
                print(json.dumps(explanation, ensure_ascii=False), file=output)
            counts[group]["messages"] += 1
            if "refused" in explanation:
                line = f"{name}: refused: {explanation['refused']}"
                if (name, "refused") in reasons:
                    explained.append(f"{line}: {reasons[name, 'refused']}")
                else:
                    failed.append(line)
                continue
            try:
                theirs = reading_beside(path, message) or email_reading(message)
            except Exception as error:  # Python's parser gives up on some headers.
                counts[group]["unread"] += 1
                explained.append(f"{name}: Python's parser fails on it ({error!r})")
                continue
            different = compare(relay_reading(explanation), theirs, explanation)
            for kind in KINDS:
                if kind not in different:
                    counts[group][kind] += 1
                elif (name, kind) in reasons:
                    counts[group][kind, "explained"] += 1
                    explained.append(f"{name} {kind}: {reasons[name, kind]}")
                else:
                    failed.append(f"{name} {kind}: differs")
    if output:
        output.close()
    report(counts, explained, failed)
    if not files:
        print(f"skipped: no .eml file in {folder}")
    sys.exit(1 if failed else 0)


def report(counts, explained, failed):
    width = max([len(group) for group in counts] + [6])
    print(f"{'folder':{width}}  messages  " + "  ".join(f"{kind:>12}" for kind in KINDS))
    for group, count in sorted(counts.items()):
        cells = []
        for kind in KINDS:
            more = count[kind, "explained"]
            cells.append(f"{count[kind]}{f' + {more}' if more else ''}")
        print(f"{group:{width}}  {count['messages']:8}  " + "  ".join(f"{c:>12}" for c in cells))
    print("(agreeing + explained)")
    for title, lines in (("Explained differences", explained), ("Differences", failed)):
        if lines:
            print(f"\n{title}:")
            for line in lines:
                print(f"  {line}")


if __name__ == "__main__":
    main()
