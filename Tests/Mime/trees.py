"""Generated trees of parts, each text of which has words that no other part has.

A tree is a `Part`; `message(tree)` writes it as a message. The generator makes what mail programs
write, and what they could write: texts that are shown, named, attached, blank or empty; alternatives
in alternatives; multipart/related with and without `start=`; Apple's multipart/mixed inside
multipart/alternative; invitations, AMP, enriched and watch forms; pictures and files.
"""

import base64
import quopri
import random
import re

#: A word of a generated text. No type, name, boundary or tag looks like one.
WORD = re.compile(r"q\d+z")

#: HTML in which a reader sees nothing; Apple Mail writes some of them around files.
EMPTY_HTML = [
    "<html><head></head><body></body></html>",
    "<html><head><meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\"></head>"
    "<body dir=\"auto\"><br></body></html>",
    "<HTML><HEAD><TITLE>no title</TITLE></HEAD><BODY>\r\n</BODY></HTML>\r\n",
    "<html><body style=\"word-wrap: break-word;\"><div><br></div>&nbsp;</body></html>",
    "<html><head><style>p { color: red }</style></head><!-- a > b --><body> </body></html>",
    "<style>" + "p { margin: 0 }\r\n" * 300 + "</style><br>",
    "<div></div>",
]
BLANK = [" ", "\r\n", " \r\n", "\t\r\n \r\n", "\r\n" * 40, " " * 3_000]
#: Forms of a text that only some programs show.
RARE_FORMS = ["text/enriched", "text/richtext", "text/x-amp-html", "text/watch-html"]
FILES = ["application/pdf", "application/zip", "image/png", "image/jpeg", "text/csv", "text/css",
         "audio/mpeg", "application/octet-stream"]


class Part:
    """A leaf with its text, or a multipart with its children.

    `holds` says what a reader sees of a text: "words", "nothing" (blank, empty HTML) or "file".
    """

    def __init__(self, type, children=(), text="", holds="file"):
        self.type, self.children, self.text, self.holds = type, list(children), text, holds
        self.name, self.is_attached, self.has_inline = "", False, False
        self.content_id, self.start = "", None
        self.encoding = "7bit"

    @property
    def is_multipart(self):
        return self.type.startswith("multipart/")

    @property
    def subtype(self):
        return self.type.split("/")[1]

    @property
    def words(self):
        return WORD.findall(self.text)

    def __repr__(self):
        if self.is_multipart:
            inside = ", ".join(map(repr, self.children))
            return f"{self.subtype}({'start, ' if self.start is not None else ''}{inside})"
        marks = [mark for mark, is_set in [("attached", self.is_attached), (self.holds, True)]
                 if is_set]
        return f"<{self.type} {' '.join(marks)} {self.name or '-'} {' '.join(self.words[:3])}>"


class Grower:
    """Grows one tree after the other from a seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.count = 0

    def chance(self, percent):
        return self.random.random() * 100 < percent

    def word(self):
        self.count += 1
        return f"q{self.count}z"

    def name(self, extension):
        self.count += 1
        return f"file{self.count}.{extension}"

    # Trees

    def tree(self):
        """A whole message."""
        self.count = 0
        kind = self.random.randrange(20)
        if kind < 2:
            return self.text(may_be_named=True)
        if kind < 4:
            return self.alternative(depth=0)
        if kind < 6:
            return self.related(depth=0, in_alternative=False)
        if kind < 7:
            return self.lone()
        return self.mixed(depth=0, in_alternative=False)

    def mixed(self, depth, in_alternative):
        subtype = self.random.choice(["mixed"] * 8 + ["x-unknown", "report", "parallel"])
        children = []
        for _ in range(self.random.choice([1, 2, 2, 3, 3, 4])):
            children.append(self.child_of_mixed(depth, in_alternative))
        return Part(f"multipart/{subtype}", children)

    def child_of_mixed(self, depth, in_alternative):
        kind = self.random.randrange(20)
        if depth < 3:
            if kind == 0:
                return self.mixed(depth + 1, in_alternative)
            if kind < 4:
                return self.alternative(depth + 1)
            if kind == 4:
                return self.related(depth + 1, in_alternative)
        if kind < 14:
            # Whether a named text in one of several forms is shown is not decided: left out here.
            return self.text(may_be_named=not in_alternative)
        if kind == 14:
            return self.rare_form()
        if kind == 15:
            return self.invitation()
        return self.file()

    def alternative(self, depth):
        """Forms of the same text, poorest first; some programs write more than two."""
        children = []
        if self.chance(85):
            children.append(self.form("text/plain", depth))
        if self.chance(15):
            children.append(self.form("text/plain", depth))
        if children and self.chance(15):
            children.append(self.rare_form())
        if self.chance(85) or not children:
            children.append(self.form("text/html", depth))
        if self.chance(15):
            children.append(self.form("text/html", depth))
        if self.chance(10):
            children.append(self.invitation())
        if self.chance(5):
            children.append(self.file())
        return Part("multipart/alternative", children)

    def form(self, type, depth):
        """One form: a text, or what holds texts."""
        kind = self.random.randrange(12)
        if depth < 3:
            if kind == 0:
                return self.mixed(depth + 1, in_alternative=True)
            if kind == 1:
                return self.alternative(depth + 1)
            if kind < 4:
                return self.related(depth + 1, in_alternative=True, type=type)
            if kind == 4:
                return self.apple_mixed(type)
        return self.text(type=type)

    def apple_mixed(self, type):
        """Texts with files between them, which Apple Mail writes as the rich form."""
        children = [self.shown_text(type)]
        for _ in range(self.random.randrange(1, 3)):
            children += [self.file(), self.text(type=type)]
        return Part("multipart/mixed", children)

    def related(self, depth, in_alternative, type=None):
        if depth < 3 and type is None and self.chance(30):
            root = self.alternative(depth + 1)
            # Which part is the root is said of texts with words only.
            is_sure = False
        else:
            root = self.shown_text(type or "text/html")
            is_sure = True
        others = [self.picture() for _ in range(self.random.randrange(0, 3))]
        if self.chance(10):
            others.append(self.shown_text("text/plain"))
        children = [root, *others]
        if self.chance(5):
            children.insert(0, self.encoded(Part("text/plain", text=" \r\n", holds="nothing")))
        part = Part("multipart/related", children)
        if is_sure and self.chance(30):
            self.count += 1
            root.content_id = f"root{self.count}@example.com"
            self.random.shuffle(children)
            part.children = children
            part.start = self.random.choice(["<{}>", "{}"]).format(root.content_id)
        return part

    def lone(self):
        """A message that is one leaf without a shown text."""
        kind = self.random.randrange(4)
        return [self.rare_form, self.invitation, self.file, self.attached_text][kind]()

    # Leaves

    def text(self, type=None, may_be_named=False):
        type = type or self.random.choice(["text/plain", "text/html"])
        kind = self.random.randrange(12)
        if kind == 0:
            nothing = self.random.choice(BLANK if type == "text/plain" else EMPTY_HTML)
            return self.encoded(Part(type, text=nothing, holds="nothing"))
        if kind == 1:
            return self.attached_text(type)
        part = self.shown_text(type)
        if may_be_named and self.chance(15):
            part.name = self.name("txt" if type == "text/plain" else "html")
        part.has_inline = self.chance(15)
        return part

    def shown_text(self, type):
        lines = [self.line() for _ in range(self.random.choice([1, 1, 2, 3]))]
        if self.chance(2):
            lines += [self.line() for _ in range(300)]
        if type == "text/plain":
            text = "\r\n".join(lines)
            if self.chance(20):
                text += "\r\n"
            if self.chance(10):
                text = "\r\n\r\n" + text
        elif self.chance(5):
            text = f'<html><body><img src="https://example.com/{self.word()}.png"></body></html>'
        else:
            paragraphs = "\r\n".join(f"<p>{line.replace('<', '&lt;')}</p>" for line in lines)
            text = paragraphs if self.chance(60) else (
                f"<html><head><title>t</title></head>\r\n<body>{paragraphs}</body></html>")
        return self.encoded(Part(type, text=text, holds="words"))

    def line(self):
        words = [self.word() for _ in range(self.random.choice([1, 2, 3]))]
        joint = self.random.choice([" ", " ", "  ", " < ", " <b> & ", " \"é\" "])
        return joint.join(words)

    def attached_text(self, type=None):
        part = self.shown_text(type or self.random.choice(["text/plain", "text/html"]))
        part.is_attached, part.holds = True, "file"
        if self.chance(70):
            part.name = self.name("txt")
        return part

    def rare_form(self):
        type = self.random.choice(RARE_FORMS)
        return self.encoded(Part(type, text=f"<b>{self.word()} {self.word()}</b>"))

    def invitation(self):
        part = Part("text/calendar", text=f"BEGIN:VCALENDAR\r\nUID:{self.word()}\r\nEND:VCALENDAR")
        if self.chance(50):
            part.name = self.name("ics")
        return self.encoded(part)

    def picture(self):
        part = self.file("image/png")
        self.count += 1
        part.content_id = f"picture{self.count}@example.com"
        return part

    def file(self, type=None):
        part = Part(type or self.random.choice(FILES), text=f"content {self.word()}")
        if self.chance(80):
            part.name = self.name("bin")
        part.is_attached = self.chance(50)
        part.has_inline = not part.is_attached and self.chance(30)
        return self.encoded(part)

    def encoded(self, part):
        choices = ["base64", "quoted-printable", "8bit"]
        part.encoding = self.random.choice(choices)
        return part


def message(tree):
    """The message of a tree, as bytes."""
    lines = ["From: Ann <ann@example.com>", "To: bob@example.com", "Subject: a tree",
             "MIME-Version: 1.0"]
    head, body = written(tree, [0])
    return "\r\n".join(lines + head).encode() + b"\r\n\r\n" + body


def written(part, boundaries):
    """(header lines, body) of a part. `boundaries` counts those in use."""
    head = []
    type = part.type.upper() if part.words and len(part.words) % 7 == 3 else part.type
    if part.is_multipart:
        boundaries[0] += 1
        boundary = f"b{boundaries[0]}="
        start = f'; start="{part.start}"' if part.start is not None else ""
        head.append(f'Content-Type: {type}{start}; boundary="{boundary}"')
        body = b""
        for child in part.children:
            inner, content = written(child, boundaries)
            body += f"--{boundary}\r\n".encode() + "\r\n".join(inner).encode() + b"\r\n\r\n"
            body += content + b"\r\n"
        return head, body + f"--{boundary}--\r\n".encode()
    in_type = part.name and not part.is_attached and len(part.name) % 2
    parameters = "; charset=utf-8" if part.type.startswith("text/") else ""
    if part.type == "text/calendar":
        parameters += "; method=REQUEST"
    if in_type:
        parameters += f'; name="{part.name}"'
    head.append(f"Content-Type: {type}{parameters}")
    if part.is_attached or part.has_inline or part.name and not in_type:
        word = "attachment" if part.is_attached else "inline"
        name = f'; filename="{part.name}"' if part.name and not in_type else ""
        head.append(f"Content-Disposition: {word}{name}")
    if part.content_id:
        head.append(f"Content-ID: <{part.content_id}>")
    head.append(f"Content-Transfer-Encoding: {part.encoding}")
    data = part.text.encode()
    if part.encoding == "base64":
        data = base64.encodebytes(data).replace(b"\n", b"\r\n")
    elif part.encoding == "quoted-printable":
        data = b"\r\n".join(
            quopri.encodestring(line).replace(b"\n", b"\r\n") for line in data.split(b"\r\n"))
    return head, data
