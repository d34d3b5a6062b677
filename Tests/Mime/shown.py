"""What a reader is shown of a tree of parts: a second reading of RFC 8621 section 4.1.4.

It is written from the RFC's text and from the product's rules, not from the relay's code, so that a
mistake of the one is not a mistake of the other. Where the RFC makes two lists of parts, textBody
and htmlBody, this makes one list of passages. A passage has a plain form, a rich form or both. The
forms are then put together as the API wants them.
"""

from dataclasses import dataclass, field

from trees import RARE_FORMS


@dataclass
class Passage:
    """Something that is shown. `plain` and `rich` are lists of texts; None when there is no such
    form. A rich form may contain plain texts, which are then escaped."""

    plain: list = None
    rich: list = None


@dataclass
class Shown:
    """What the request must contain."""

    #: The texts of `text_body` and `html_body`, in order; None where the field must be absent.
    text: list = None
    html: list = None
    #: Parts that must be attachments, in order.
    files: list = field(default_factory=list)
    #: Forms of a text that neither body holds.
    left_out: list = field(default_factory=list)


def shown(tree):
    """The reading of a whole message."""
    reader = Reader()
    passages = reader.passages(tree, root_of=None)
    result = Shown(files=reader.files)
    if any(passage.rich is not None for passage in passages):
        result.html = [text for passage in passages for text in richest(passage)]
    if passages and all(passage.plain is not None for passage in passages):
        result.text = [text for passage in passages for text in passage.plain]
    held = [*(result.text or []), *(result.html or [])]
    result.left_out = reader.left_out + [
        text for text in reader.seen if not any(text is other for other in held)]
    return result


def richest(passage):
    return passage.plain if passage.rich is None else passage.rich


class Reader:
    """Reads a tree from its first part to its last, as a program does that shows it."""

    def __init__(self):
        self.files, self.left_out = [], []
        #: Texts with something to see, whether a body will hold them or another form of them.
        self.seen = []

    def passages(self, part, root_of):
        """The passages of a part. `root_of` is the multipart around it."""
        if not part.is_multipart:
            return self.leaf(part, root_of)
        if part.subtype == "alternative":
            return self.alternative(part)
        if part.subtype == "related":
            return self.related(part)
        return [passage for child in part.children for passage in self.passages(child, part)]

    def leaf(self, part, around):
        is_text = part.type in ("text/plain", "text/html")
        if not is_text or part.is_attached or part.name and self.seen:
            self.files.append(part)
            return []
        if part.holds == "nothing":
            return []
        self.seen.append(part)
        return [Passage(plain=[part])] if part.type == "text/plain" else [Passage(rich=[part])]

    def related(self, part):
        """The root is shown, the rest is what it refers to. Without `start=` the root is the first part,
        but a picture or a blank text is nobody's letter."""
        named = part.start.strip("<>") if part.start is not None else None
        found = []
        for child in part.children:
            is_root = child.content_id == named if named is not None \
                else not found and not part.children[0].is_multipart
            if is_root or child.is_multipart:
                found += self.passages(child, part)
            else:
                self.files.append(child)
        return found

    def alternative(self, part):
        """One passage at most: of its plain forms the last, and of its rich forms the last."""
        plain, rich = [], []
        rare = []
        for child in part.children:
            if child.type in RARE_FORMS and not child.is_attached:
                rare.append((len(self.files), child))
                continue
            passages = self.passages(child, part)
            if passages and all(passage.plain is not None for passage in passages):
                plain.append([text for passage in passages for text in passage.plain])
            if any(passage.rich is not None for passage in passages):
                rich.append([text for passage in passages for text in richest(passage)])
        # A form for some programs alone is left out where another is shown, else it is a file.
        for place, child in reversed(rare):
            if plain or rich:
                self.left_out.append(child)
            else:
                self.files.insert(place, child)
        if not plain and not rich:
            return []
        return [Passage(plain[-1] if plain else None, rich[-1] if rich else None)]


def algorithm(tree):
    """(textBody, htmlBody, attachments) by the algorithm of RFC 8621 section 4.1.4, line by line.

    It has no rule for blank texts, rare forms, `start=` or alternatives in alternatives, joins several
    texts of one kind in an alternative, and loses a text of the other kind in a multipart/mixed there.
    Where nothing of that occurs, `shown` must agree.
    """
    text, rich, attachments = [], [], []
    parse_structure([tree], "mixed", False, rich, text, attachments)
    return text, rich, attachments


def parse_structure(parts, around, in_alternative, rich, text, attachments):
    text_length = -1 if text is None else len(text)
    rich_length = -1 if rich is None else len(rich)
    for index, part in enumerate(parts):
        is_media = part.type.startswith(("image/", "audio/", "video/"))
        is_inline = not part.is_attached \
            and (part.type in ("text/plain", "text/html") or is_media) \
            and (index == 0 or around != "related" and (is_media or not part.name))
        if part.is_multipart:
            parse_structure(part.children, part.subtype,
                            in_alternative or part.subtype == "alternative", rich, text,
                            attachments)
        elif not is_inline:
            attachments.append(part)
        elif around == "alternative":
            {"text/plain": text, "text/html": rich}.get(part.type, attachments).append(part)
        else:
            if in_alternative and part.type == "text/plain":
                rich = None
            if in_alternative and part.type == "text/html":
                text = None
            if text is not None:
                text.append(part)
            if rich is not None:
                rich.append(part)
            if (text is None or rich is None) and is_media:
                attachments.append(part)
    if around == "alternative" and text is not None and rich is not None:
        if text_length == len(text) and rich_length != len(rich):
            text += rich[rich_length:]
        if rich_length == len(rich) and text_length != len(text):
            rich += text[text_length:]
