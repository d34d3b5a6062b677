"""Reads Swift as far as the house rules need it: comments, the code without them, types, stored state.

No parser: it follows comments, strings, brackets and the words that begin declarations. Code that
`swift format` has laid out is read right.
"""

import dataclasses
import re

_NOT_NEWLINE = re.compile(r"[^\n]")
_TOKEN = re.compile(r'//[^\n]*|/\*|(#*)("""|")')
_NEST = re.compile(r"/\*|\*/")
_FUNCTION = re.compile(
    r"^(\s*)(?:@\w+(?:\([^)]*\))?\s+)*"
    r"(?:(?:public|package|private|fileprivate|internal|open|final|static|class|override|mutating|"
    r"nonmutating|consuming|borrowing|nonisolated|convenience|required|@inline\(\w+\))\s+)*"
    r"(?:func\b|init[?(<]|deinit\b|subscript\b)")


def _end_of_string(text, position, hashes, quote):
    """The position after a string whose content begins at `position`."""
    escape, close = "\\" + hashes, quote + hashes
    while position < len(text):
        if text.startswith(escape + "(", position):
            position = _end_of_parentheses(text, position + len(escape) + 1)
        elif text.startswith(escape, position):
            position += len(escape) + 1
        elif text.startswith(close, position):
            return position + len(close)
        elif quote == '"' and text[position] == "\n":
            return position
        else:
            position += 1
    return position


def _end_of_parentheses(text, position):
    depth = 1
    while position < len(text) and depth:
        match = re.compile(r'[()]|(#*)("""|")').search(text, position)
        if not match:
            return len(text)
        position = match.end()
        if match.group(2):
            position = _end_of_string(text, position, match.group(1), match.group(2))
        else:
            depth += 1 if match.group() == "(" else -1
    return position


def split_comments(text):
    """(code, comments): the text with comments and strings blanked, and the comments as (offset,
    text)."""
    pieces, comments, position = [], [], 0
    while True:
        match = _TOKEN.search(text, position)
        if not match:
            pieces.append(text[position:])
            return "".join(pieces), comments
        start, end = match.start(), match.end()
        pieces.append(text[position:start])
        if match.group().startswith("//"):
            comments.append((start, match.group()))
        elif match.group() == "/*":
            depth = 1
            while depth:
                nest = _NEST.search(text, end)
                if not nest:
                    end = len(text)
                    break
                end = nest.end()
                depth += 1 if nest.group() == "/*" else -1
            comments.append((start, text[start:end]))
        else:
            end = _end_of_string(text, end, match.group(1), match.group(2))
        pieces.append(_NOT_NEWLINE.sub(" ", text[start:end]))
        position = end


def functions(lines):
    """Yields (first line number, length) of every function, by the indentation of its brace."""
    for start, line in enumerate(lines):
        match = _FUNCTION.match(line)
        if not match:
            continue
        indent = match.group(1)
        opened = next(
            (i for i in range(start, min(start + 20, len(lines))) if lines[i].rstrip().endswith("{")
             and (i == start or lines[i].startswith(indent))), None)
        if opened is None or lines[start].rstrip().endswith("}"):
            continue
        for end in range(opened + 1, len(lines)):
            if lines[end].startswith(indent + "}"):
                yield start + 1, end - start + 1
                break


@dataclasses.dataclass
class Property:
    """A stored `var` of a type, or a static one."""

    name: str
    line: int
    # The declaration's line up to `var`, and what stands between it and the declaration before.
    modifiers: str
    attributes: str
    # The type cannot be named outside its file.
    is_file_private: bool


@dataclasses.dataclass
class TypeInFile:
    """What one file holds of a type: its declaration or an extension."""

    kind: str
    name: str
    properties: list
    has_mutating: bool = False


_WORD = re.compile(
    r"[{}()\[\]]|(?<![.`\w])(?:(class|struct|enum|actor|extension|protocol)\s+(?!func\b|var\b|let\b|"
    r"subscript\b|override\b|final\b|private\b|package\b|public\b|fileprivate\b)([\w.`]+)?"
    r"|(func|init|deinit|subscript|let|case|typealias|associatedtype|import|macro)\b"
    r"|(var)\s+([\w`(]+)|(mutating)\b)")


class _Scope:
    def __init__(self, found=None, is_file_private=False):
        self.found, self.is_file_private = found, is_file_private
        self.declaration, self.declared_at, self.depth = None, 0, 0


def types(code):
    """The types that a file declares or extends, with their stored properties. `code` is without
    comments and strings."""
    all_found, scopes = [], [_Scope()]
    for match in _WORD.finditer(code):
        scope, text = scopes[-1], match.group()
        if text == "{":
            scopes.append(_opened(scopes, match.start(), code, all_found))
        elif text == "}":
            if len(scopes) > 1:
                scopes.pop()
                scopes[-1].declaration = None
        elif text in "([":
            scope.depth += 1
        elif text in ")]":
            scope.depth -= 1
        elif scope.depth == 0:
            _declared(scope, match, code)
    return all_found


def _declared(scope, match, code):
    if match.group(6):
        if scope.found:
            scope.found.has_mutating = True
        return
    if match.group(4) and scope.found and scope.found.kind != "protocol" and _is_stored(code, match.end()):
        start = match.start()
        scope.found.properties.append(Property(
            match.group(5).strip("`("), code.count("\n", 0, start) + 1,
            code[code.rfind("\n", 0, start) + 1:start], code[scope.declared_at:start],
            scope.is_file_private))
    scope.declaration, scope.declared_at = match, match.end()
    if match.group(5) and match.group(5).startswith("("):
        scope.depth += 1


def _opened(scopes, position, code, all_found):
    """The scope that a `{` opens: a type's body when the last declaration before it is a type's."""
    scope, last = scopes[-1], scopes[-1].declaration
    if not last or not last.group(1) or scope.depth:
        return _Scope()
    outer = next((s.found.name + "." for s in reversed(scopes) if s.found), "")
    line = code[code.rfind("\n", 0, last.start()) + 1:last.start()]
    is_file_private = (
        scope.is_file_private or bool(re.search(r"\b(file)?private\b", line))
        or (len(scopes) > 1 and not scope.found))
    found = TypeInFile(last.group(1), outer + (last.group(2) or "?").strip("`"), [])
    all_found.append(found)
    return _Scope(found, is_file_private)


def _is_stored(code, position):
    """Whether the `var` whose name ends at `position` is stored: it has a value, observers or no
    body."""
    depth = 0
    while position < len(code):
        character = code[position]
        if character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif depth <= 0 and character == "=":
            return True
        elif depth <= 0 and character == "{":
            return bool(re.match(r"\{\s*(?:@\w+\s+)*(willSet|didSet)\b", code[position:position + 200]))
        elif depth <= 0 and character == "}":
            return True
        elif depth <= 0 and character == "\n":
            before = code[:position].rstrip()[-1:]
            after = code[position:].lstrip()[:2]
            if before not in (":", ",", "&", ">") and not after.startswith(("=", "{", "->", "&")):
                return True
            if before == ">" and not after.startswith(("=", "{", "->", "&")):
                return True
        position += 1
    return True
