"""Finds where two readings of a message differ, and which of the differences are explained."""

import base64
import email
import email.policy
import re

from views import attachments, decode, digest, email_reading, line_feeds, mailbox, relay_reading


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
                found[-1].their_content = yours.content
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
          " (RFC 5322 A.5). Python keeps the one and drops the other.")
def display_names(difference, message):
    if difference.kind not in ("from", "recipients", "reply-to"):
        return False
    ours, theirs = difference.ours, difference.theirs
    if difference.kind == "recipients":
        ours, theirs = dict(ours), dict(theirs)
    else:
        ours, theirs = {ours[1]: ours[0]}, {theirs[1]: theirs[0]}
    return ours.keys() == theirs.keys() and all(
        name.replace(" ", "") == theirs[address].replace(" ", "")
        or not theirs[address] and f"({name})".encode() in message
        for address, name in ours.items())


@explains("The line end in front of a delimiter belongs to the delimiter; where the delimiter is"
          " missing it is content (RFC 2046 5.1.1). Python drops it.")
def last_line_end(difference, message):
    return difference.kind == "content" and difference.ours == digest(difference.their_content
                                                                       + b"\r\n")


def same_message(mine, yours, sent):
    """Whether an embedded message was the same before Python wrote it again."""
    if not mine.type.startswith("message/") or mine.content not in sent:
        return False
    content = sent[mine.content]
    return any(
        email.message_from_bytes(form, policy=email.policy.default).as_bytes() == yours.content
        for form in (content, content.removesuffix(b"\r\n")))


def conservation(explanation, ours, theirs):
    """Every leaf of the structure is in the request: as a body, as an attachment, or empty."""
    found = []
    request = explanation["request"]
    kinds = {"text/plain": "text_body", "text/html": "html_body"}
    texts = {entity.content: entity for entity in reversed(theirs.leaves)}
    texts = {digest(content): entity for content, entity in texts.items()}
    bodies, rest, taken = {}, [], set()
    for entity, node in zip(ours.leaves, [n for n in explanation["structure"] if "sha256" in n]):
        body = kinds.get(entity.type)
        if node["bytes"] == 0:
            continue
        is_body = body and not entity.is_attachment and node["encoding"] != "unknown"
        if is_body and body not in taken:
            taken.add(body)
            bodies[body] = entity
        else:
            rest.append((entity.type, entity.content))
    sent = [(kind.split(";")[0], digest(content)) for kind, _, content in attachments(explanation)]
    if sent != rest:
        found.append(Difference("attachments", sent, rest))
    for body in ("text_body", "html_body"):
        if body not in bodies:
            if request.get(body, "\n") != "\n":
                found.append(Difference(body, request[body], None))
        elif bodies[body].content in texts:
            theirs_text = texts[bodies[body].content]
            expected = line_feeds(decode(theirs_text.content, theirs_text.charset))
            if request.get(body) != expected:
                found.append(Difference(body, request.get(body), expected))
    return found


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
    return [Difference("lost", None, leaf) for leaf in lost_leaves(theirs.leaves, explanation)
            if b"\nContent-" not in leaf.content and "\nContent-" not in leaf.raw]


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
        if not any(skeleton(form) in content for form in forms for content in sent):
            missing.append(leaf)
    return missing


def without_escapes(content):
    """quoted-printable that keeps what is not an escape; Python drops one of two equals signs."""
    joined = re.sub(rb"=[ \t]*\r\n", b"", content)
    return re.sub(rb"=([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), joined)


def skeleton(content):
    """The visible ASCII characters, which no charset and no repair changes."""
    return re.sub(rb"[^!-~]", b"", content)


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
