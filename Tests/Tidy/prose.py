"""Plain English in comments, docstrings and pages: words that send readers to a dictionary, or that
mean two things, and what to write instead.

Short on purpose. A phrase belongs here when a machine can tell that it is wrong; where it is right
for once, name the place in ALLOWED. Code, and what stands between backticks, is not read.
"""

import ast
import io
import re
import tokenize

import swift_text

# Units that are no verbs ("copies a message") and begin no clause ("with 9 connections a message costs").
_RATED = (
    r"(?:instructions|allocations|cycles|[kKMG]?i?[Bb]ytes|[kMG]B|descriptors|microseconds|milliseconds|"
    r"megabyte|kilobyte)")
# A rate by time ("messages a second") is plain enough.
_EACH = r"(?:message|call|session|connection|recipient|request|login|handshake)"

# (what is found, what to write instead)
PHRASES = [(re.compile(pattern), instead) for pattern, instead in (
    (r"\b[Mm]end(?:s|ed|ing)?\b", "fix"),
    (r"\b[Ww]hoever\b", "a client that, the caller, anyone who: name the subject"),
    (r"\b(?:[Cc](?:ome|omes|ame|oming)|[Ww]ait(?:s|ed|ing)?|[Aa]rrive[sd]?) behind\b",
     "after (behind is a place)"),
    (r", for (?:it|they|he|she|there|nobody|nothing)\b", ", because"),
    (rf"\b{_RATED} an? {_EACH}\b(?! (?:time|try|later|apart))", "per"),
    (r"(?:^|[.:;] )(?:Gone|Printed|Left out|Kept|Counted|Measured) (?:is|are|was|were)\b",
     "the subject first"),
    (r"\bwhat is said of\b", "the subject first"),
    (r"\b(?:lest|albeit|thereof|whence|thence|hitherto|henceforth)\b", "a word of today"),
)]

# {(file, phrase)}: where a phrase is right.
ALLOWED = set()

_MARKDOWN_CODE = re.compile(r"^(?:```|~~~).*?^(?:```|~~~)[^\n]*$", re.M | re.S)
_QUOTED = re.compile(r"`[^`]*`")
_C = re.compile(
    r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|(//[^\n]*|/\*.*?\*/)', re.S)
_MARKS = re.compile(r"^[ \t]*(?:///?|/\*+|\*/|\*|#+!?|-)?[ \t]*|[ \t]*\*/[ \t]*$", re.M)


def prose(name, text):
    """The prose of a file: [(line number, line)], in the file's order."""
    if name.endswith(".md"):
        blank = _MARKDOWN_CODE.sub(lambda match: "\n" * match.group().count("\n"), text)
        return list(enumerate(blank.splitlines(), 1))
    if name.endswith(".swift"):
        found = swift_text.split_comments(text)[1]
    elif name.endswith((".c", ".h")):
        found = [(m.start(1), m.group(1)) for m in _C.finditer(text) if m.group(1)]
    elif name.endswith(".py"):
        found = _python(text)
    else:
        found = [(m.start(), m.group()) for m in re.finditer(r"^[ \t]*#[^\n]*", text, re.M)]
    lines = []
    for offset, comment in found:
        first = text.count("\n", 0, offset) + 1
        lines += enumerate(_MARKS.sub("", comment).split("\n"), first)
    return lines


def _python(text):
    """Comments and docstrings, as (offset, text)."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = [
        (starts[token.start[0] - 1] + token.start[1], token.string)
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT]
    for node in ast.walk(ast.parse(text)):
        body = getattr(node, "body", None)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and body \
                and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) \
                and isinstance(body[0].value.value, str):
            found.append((starts[body[0].lineno - 1], body[0].value.value))
    return sorted(found)


def breaches(name, text):
    """Yields (line number, phrase, what to write instead). Lines are read as they run on, so that a
    phrase is found across a line's end."""
    paragraph, before = [], None
    for number, line in prose(name, text) + [(None, "")]:
        if before is not None and (number != before + 1 or not line.strip()):
            yield from _in_paragraph(name, paragraph)
            paragraph = []
        if line.strip():
            paragraph.append((number, line.strip()))
        before = number


def _in_paragraph(name, lines):
    text, starts = "", []
    for number, line in lines:
        starts.append((len(text), number))
        text += line + " "
    text = _QUOTED.sub(lambda match: "`" * len(match.group()), text)
    for phrase, instead in PHRASES:
        for match in phrase.finditer(text):
            found = match.group().lstrip(".:;, ")
            if (name, found) not in ALLOWED:
                yield [n for start, n in starts if start <= match.start()][-1], found, instead
