"""Finds where two readings of a message differ, and which of the differences are explained."""

import base64
import email
import email.policy
import html
import re

from shown import shown
from trees import Part
from views import attachments, decode, digest, email_reading, line_feeds, mailbox, relay_reading


#: The kind of loss of a form of a text that neither body holds.
LEFT_OUT = "alternatives_not_shown"


class Difference:
    """One thing that the relay (`ours`) and the other reader (`theirs`) read differently."""

    def __init__(self, kind, ours, theirs):
        self.kind, self.ours, self.theirs = kind, ours, theirs

    def __repr__(self):
        return f"{self.kind}:\n    ours   {self.ours!r}\n    theirs {self.theirs!r}"


def differences(message, explanation, their=None):
    """All differences of the relay's reading of `message` from Python's (or from `their`)."""
    if "refused" in explanation:
        return [Difference("refused", explanation["refused"], "")]
    ours = relay_reading(explanation)
    theirs = their or email_reading(message)
    found = []

    def compare(kind, one, other):
        if one != other:
            found.append(Difference(kind, one, other))

    compare("subject", ours.subject, clean(theirs.subject) or "(no subject)")
    if theirs.sender[1]:
        compare("from", ours.sender, clean_pair(theirs.sender))
    compare("recipients", once(ours.to + ours.cc), once(map(clean_pair, theirs.to + theirs.cc)))
    one = [(entity.depth, entity.type) for entity in ours.entities]
    other = [(entity.depth, entity.type) for entity in theirs.entities]
    compare("structure", one, other)
    sent = {digest(content): content for _, _, content in attachments(explanation)}
    if one == other:
        for mine, yours in zip(ours.leaves, theirs.leaves):
            compare("file name", mine.filename, clean_name(yours.filename))
            if mine.content != digest(yours.content) and not same_message(mine, yours, sent):
                found.append(Difference("content", mine.content, digest(yours.content)))
                found[-1].their_content, found[-1].their_raw = yours.content, yours.as_it_came
    found += conservation(explanation, ours, theirs)
    compare("x-note", ours.headers.get("x-note", ""), clean(theirs.headers.get("x-note", "")))
    if theirs.reply_to[1]:
        reply_to = mailbox(ours.headers.get("reply-to", ""))
        compare("reply-to", reply_to, clean_pair(theirs.reply_to))
    return [difference for difference in found if not explained(difference, message)]


#: Why a difference is not our mistake: a test of it, and the reason.
EXPLAINED = []


def explains(reason):
    def register(test):
        EXPLAINED.append((test, reason))
        return test
    return register


def explained(difference, message):
    """The reason why the relay is right, or None."""
    for test, reason in EXPLAINED:
        if test(difference, message):
            return reason
    return None


@explains("In a display name too, white space between adjacent encoded words is no part of the text"
          " (RFC 2047 6.2), and a comment behind an address without a display name is its name"
          " (RFC 5322 A.5). Python keeps the one and drops the other. A name that is sent never has the"
          " mark of an encoded word.")
def display_names(difference, message):
    if difference.kind not in ("from", "recipients", "reply-to"):
        return False
    ours, theirs = difference.ours, difference.theirs
    if difference.kind == "recipients":
        ours, theirs = dict(ours), dict(theirs)
    else:
        ours, theirs = {ours[1]: ours[0]}, {theirs[1]: theirs[0]}
    return ours.keys() == theirs.keys() and all(
        without_marks(name) == without_marks(theirs[address])
        or not theirs[address] and f"({name})".encode() in message
        for address, name in ours.items())


def without_marks(name):
    """A display name without blanks and without the `=` of each `=?`."""
    return re.sub(r"=+\?", "?", name.replace(" ", ""))


@explains("The line end in front of a delimiter belongs to the delimiter; where the delimiter is"
          " missing it is content (RFC 2046 5.1.1). Python drops it.")
def last_line_end(difference, message):
    return difference.kind == "content" and difference.ours == digest(difference.their_content
                                                                       + b"\r\n")


@explains("A text or a message that says base64 and is none is passed as it stands, and counted."
          " Python decodes what letters it has.")
def no_base64(difference, message):
    if difference.kind != "content" or b"base64" not in message.lower():
        return False
    raw = difference.their_raw
    return difference.ours in (digest(raw), digest(raw + b"\r\n"), digest(raw.removesuffix(b"\r\n")))


@explains("Empty and blank lines before the first field are left out. Python reads all as a body.")
def fields_after_empty_lines(difference, message):
    return (difference.kind == "lost" and message != message.lstrip()
            and difference.theirs.depth == 0)


def same_message(mine, yours, sent):
    """Whether an embedded message was the same before Python wrote it again."""
    if not mine.type.startswith("message/") or mine.content not in sent:
        return False
    content = sent[mine.content]
    return any(
        email.message_from_bytes(form, policy=email.policy.default).as_bytes() == yours.content
        for form in (content, content.removesuffix(b"\r\n")))


def conservation(explanation, ours, theirs):
    """Every leaf of the structure is in the request as `shown` says: in the bodies, as an
    attachment, or left out and counted. Empty leaves are nowhere."""
    expected = shown(tree_of(ours, theirs, explanation))
    request, found = explanation["request"], []
    rest = [(part.type, part.digest) for part in expected.files if part.digest != digest(b"")]
    sent = [(kind.split(";")[0], digest(content)) for kind, _, content in attachments(explanation)]
    if sent != rest:
        found.append(Difference("attachments", sent, rest))
    for body, texts in (("text_body", expected.text), ("html_body", expected.html)):
        if texts is None:
            # A message that is one text is sent on while it comes, blank or not.
            if is_visible(request.get(body, ""), "text/html" if body == "html_body" else "text/plain"):
                found.append(Difference(body, request[body], None))
        elif all(part.is_read_alike for part in texts) and not holds(request.get(body), texts, body):
            found.append(Difference(body, request.get(body), [part.text for part in texts]))
    if bool(expected.left_out) != (LEFT_OUT in explanation["losses"]):
        found.append(Difference("left out", explanation["losses"], expected.left_out))
    return found


def tree_of(ours, theirs, explanation):
    """The tree of parts, with the texts as Python reads them."""
    root = Part("multipart/mixed")
    path = [root]
    nodes = iter(explanation["structure"])
    for mine, yours in zip(ours.entities, theirs.entities):
        part, node = Part(mine.type), next(nodes)
        del path[mine.depth + 1:]
        path[-1].children.append(part)
        path.append(part)
        if mine.content is None:
            continue
        part.digest, part.name, part.is_attached = mine.content, mine.filename, mine.is_attachment
        content, raw = yours.content, yours.as_it_came
        if mine.content == digest(raw):
            content = raw
        part.is_read_alike = mine.content == digest(content)
        if node["encoding"] == "unknown":
            part.is_attached = True
        if mine.type in ("text/plain", "text/html"):
            part.text = line_feeds(decode(content, yours.charset))
            part.holds = "words" if is_visible(part.text, mine.type) else "nothing"
            part.is_flowed = yours.is_flowed
    return root


def is_visible(text, type):
    """Whether a reader sees anything of a text."""
    if type == "text/html":
        if re.search(r"<(img|video|svg|object|input|hr)\b", text, re.I):
            return True
        text = re.sub(r"<!--.*?(-->|$)", "", text, flags=re.S)
        text = re.sub(r"<(head|style|script|title)\b.*?(</\1\s*>|$)", "", text, flags=re.S | re.I)
        text = html.unescape(re.sub(r"<[a-zA-Z/!?][^>]*(>|$)", "", text))
    return text.strip() != ""


def holds(body, texts, field):
    """Whether a body holds these texts in order and nothing else."""
    if body is None:
        return False
    if len(texts) == 1 and (texts[0].type == "text/html") == (field == "html_body") \
            and not texts[0].is_flowed:
        return body == texts[0].text
    # Line ends between texts, and what makes line ends of plain texts visible, are the relay's.
    at, body = 0, squeezed(body)
    for part in texts:
        text = part.text
        if field == "html_body" and part.type == "text/plain":
            text = html.escape(text, quote=False)
        text = squeezed(text)
        at = body.find(text, at)
        if at < 0:
            return False
        at += len(text)
    return True


def squeezed(text):
    return re.sub(r"<br ?/?>|&nbsp;|&#160;|\s", "", text.replace("&quot;", '"').replace("&#39;", "'"))


def clean(text):
    """Text of a header as a field of the API may hold it: control characters are blanks."""
    return re.sub(r"[\x00-\x1f\x7f]", " ", text).strip(" ")


def clean_pair(mailbox):
    return clean(mailbox[0]), mailbox[1]


def clean_name(name):
    """A file name without characters that could make it a path."""
    name = re.sub(r"[\x00-\x1f\x7f]", "", name)
    return re.split(r"[/\\]", name)[-1].strip()


def once(mailboxes):
    """Each address once, with its first name."""
    seen = {}
    for name, address in mailboxes:
        seen.setdefault(address, name)
    return sorted(seen.items())


def lost(message, explanation):
    """Leaves that Python finds in a message, however damaged, and that are not in the request.

    A leaf counts as found if it is there decoded or as it came. It also counts if its whole quads
    are there and its base64 has something on which Python gives up (a lone character at the end,
    padding inside). Leaves that begin inside a header block, after a line that is not a field, do
    not count: the relay skips such a line if fields follow, and Python begins the body there.
    """
    if "refused" in explanation or "headers_malformed" in explanation["losses"]:
        return []
    try:
        theirs = email_reading(message)
    except Exception:  # Python's parser gives up on some headers.
        return []
    found = [Difference("lost", None, leaf) for leaf in lost_leaves(theirs.leaves, explanation)
             if b"\nContent-" not in leaf.content and "\nContent-" not in leaf.raw]
    return [difference for difference in found if not explained(difference, message)]


def lost_leaves(leaves, explanation):
    """Those of `leaves` whose content is not in the request."""
    request = explanation["request"]
    sent = [content for _, _, content in attachments(explanation)]
    sent += [request.get(body, "").encode() for body in ("text_body", "html_body")]
    sent = [skeleton(content) for content in sent]
    missing = []
    for leaf in leaves:
        raw = leaf.raw.encode("utf-8", "replace")
        forms = [leaf.content, whole_quads(leaf.raw), padded_runs(leaf.raw), raw]
        forms.append(without_escapes(raw))
        forms += [decode(form, leaf.charset).encode() for form in forms]
        if leaf.type == "text/plain":
            forms += [html.escape(form.decode("latin-1"), quote=False).encode("latin-1")
                      for form in forms]
        if not any(skeleton(form) in content for form in forms for content in sent):
            missing.append(leaf)
    # Empty HTML takes no place; other forms of a text may be left out, and are counted.
    missing = [leaf for leaf in missing if leaf.type != "text/html"
               or is_visible(decode(leaf.content, leaf.charset), leaf.type)]
    return missing[explanation["losses"].get(LEFT_OUT, 0):]


def without_escapes(content):
    """quoted-printable that keeps what is not an escape; Python drops one of two equals signs."""
    joined = re.sub(rb"=[ \t]*\r\n", b"", content)
    return re.sub(rb"=([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), joined)


def skeleton(content):
    """The visible ASCII characters, which no charset and no repair changes; without the marks that
    make the line ends and blanks of a plain text visible in HTML."""
    return re.sub(rb"<br ?/?>|&nbsp;|&#160;|[^!-~]", b"", content)


def padded_runs(text):
    """base64 in which an equals sign ends a quad anywhere, as in parts that were encoded one by one
    and then joined. Python skips one where two would be right."""
    content, run = b"", ""
    for letters in re.sub(r"[^A-Za-z0-9+/=]", "", text).split("="):
        run += letters
        if len(run) % 4 > 1:
            content += base64.b64decode(run + "=" * (-len(run) % 4))
            run = ""
    return content + base64.b64decode(run[:len(run) // 4 * 4])


def whole_quads(text):
    """base64 as far as it has whole quads."""
    letters = re.sub(r"[^A-Za-z0-9+/]", "", text)
    return base64.b64decode(letters[:len(letters) // 4 * 4])
