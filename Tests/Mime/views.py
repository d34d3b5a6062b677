"""Two readings of one message in the same form: the relay's, and Python's `email` package's."""

import base64
import codecs
import email
import email.policy
import hashlib
import re
from dataclasses import dataclass, field

#: Labels that the WHATWG Encoding Standard reads as a larger set than Python does.
WIDER = {
    "us-ascii": "cp1252", "ascii": "cp1252", "iso-8859-1": "cp1252", "latin1": "cp1252",
    "gb2312": "gb18030", "gbk": "gb18030", "euc-kr": "cp949", "ks_c_5601-1987": "cp949",
    "shift_jis": "cp932", "big5": "big5hkscs", "iso-8859-9": "cp1254", "tis-620": "cp874",
}


#: Charsets in which a wrong character is two bytes long, unless the second is ASCII.
TWO_BYTES = {"cp949", "euc_kr", "cp932", "euc_jp", "big5hkscs", "big5", "gb18030", "gbk"}


def as_the_standard(error):
    """Replaces as many undecodable bytes as the Encoding Standard does: never an ASCII byte after
    the first, and in double-byte charsets the second byte together with the first."""
    bytes, start = error.object, error.start
    second = bytes[start + 1] if start + 1 < len(bytes) else 0
    if error.encoding in TWO_BYTES and 0x81 <= bytes[start] <= 0xFE and second >= 0x80:
        return "\ufffd", start + 2
    wrong = bytes[start + 1:error.end]
    return "\ufffd", start + 1 + next((i for i, b in enumerate(wrong) if b < 0x80), len(wrong))


codecs.register_error("as_the_standard", as_the_standard)


@dataclass
class Entity:
    """A multipart (without content) or a leaf."""

    depth: int
    type: str
    filename: str = ""
    #: Content without its transfer encoding; None for a multipart.
    content: bytes = None
    charset: str = ""
    is_attachment: bool = False
    content_id: str = ""
    #: Content as it came, where Python gives it.
    raw: str = ""
    #: format=flowed (RFC 3676).
    is_flowed: bool = False
    #: Content as it came, in bytes.
    as_it_came: bytes = b""


@dataclass
class Reading:
    subject: str = ""
    sender: tuple = ("", "")
    reply_to: tuple = ("", "")
    #: (name, address) of To and Cc, in order.
    to: list = field(default_factory=list)
    cc: list = field(default_factory=list)
    entities: list = field(default_factory=list)
    headers: dict = field(default_factory=dict)

    @property
    def leaves(self):
        return [entity for entity in self.entities if entity.content is not None]


def digest(content):
    return hashlib.sha256(content).hexdigest()


def line_feeds(text):
    """Line ends as the relay sends them in bodies."""
    return re.sub("\r\n|\r", "\n", text)


def decode(content, charset):
    """Text as the WHATWG Encoding Standard reads it, for the charsets that the tests use."""
    label = charset.strip().strip("\"'").lower()
    if label in ("", "us-ascii", "ascii"):
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            label = "cp1252"
    label = WIDER.get(label, label)
    if label in ("cp1252", "windows-1252"):
        # Five bytes that Python refuses are C1 controls there.
        return "".join(
            bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in content)
    try:
        return content.decode(label, "as_the_standard").removeprefix("\ufeff")
    except LookupError:
        return decode(content, "")


# The relay's reading

MAILBOX = re.compile(r'^(?:"((?:[^"\\]|\\.)*)" |([^"<]*?) )?<?([^<>]*)>?$', re.S)


def mailbox(text):
    """`Name <address>`, as the relay writes it, taken apart."""
    if not text.endswith(">"):
        return "", text
    name, _, address = text[:-1].rpartition("<")
    name = name.strip()
    if name.startswith('"') and name.endswith('"'):
        name = re.sub(r"\\(.)", r"\1", name[1:-1], flags=re.S)
    return name, address


def relay_reading(explanation):
    request = explanation.get("request", {})
    reading = Reading(
        subject=request.get("subject", ""), sender=mailbox(request.get("from", "")),
        to=[mailbox(text) for text in request.get("to", [])],
        cc=[mailbox(text) for text in request.get("cc", [])],
        headers={name.lower(): value for name, value in request.get("headers", {}).items()})
    for node in explanation["structure"]:
        is_leaf = "sha256" in node
        reading.entities.append(Entity(
            node["depth"], node["type"], node.get("filename", ""),
            node["sha256"] if is_leaf else None, "",
            node.get("disposition") == "attachment", node.get("content_id", "")))
    return reading


def attachments(explanation):
    """(type, file name, content) of what the request attaches."""
    return [
        (entry.get("content_type", ""), entry["filename"],
         base64.b64decode(entry["content"], validate=True))
        for entry in explanation.get("request", {}).get("attachments", [])]


# Python's reading

def email_reading(message):
    parsed = email.message_from_bytes(message, policy=email.policy.default)
    reading = Reading()
    reading.subject = raw_text(str(parsed["subject"] or ""))
    if parsed["from"] is not None and parsed["from"].addresses:
        reading.sender = pair(parsed["from"].addresses[0])
    if parsed["reply-to"] is not None and parsed["reply-to"].addresses:
        reading.reply_to = pair(parsed["reply-to"].addresses[0])
    for field_name, target in (("to", reading.to), ("cc", reading.cc)):
        if parsed[field_name] is not None:
            target += [pair(address) for address in parsed[field_name].addresses]
    for name in parsed.keys():
        reading.headers.setdefault(name.lower(), ", ".join(
            raw_text(str(value)) for value in parsed.get_all(name)))
    walk(parsed, 0, reading.entities)
    return reading


def pair(address):
    return raw_text(address.display_name), raw_text(address.addr_spec)


def raw_text(text):
    """Text whose bytes beyond ASCII Python keeps as surrogates."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def walk(part, depth, entities):
    kind = part.get_content_type()
    if part.get_content_maintype() == "multipart" and part.is_multipart():
        entities.append(Entity(depth, kind))
        for child in part.get_payload():
            walk(child, depth + 1, entities)
        return
    raw = ""
    if part.is_multipart():
        content = b"".join(child.as_bytes() for child in part.get_payload())
    else:
        content, raw = part.get_payload(decode=True) or b"", raw_text(part.get_payload())
    entities.append(Entity(
        depth, kind, part.get_filename() or "", content, part.get_param("charset") or "",
        part.get_content_disposition() == "attachment", str(part.get("content-id", "")), raw,
        str(part.get_param("format", "")).lower() == "flowed", bytes_as_they_came(part)))


def bytes_as_they_came(part):
    """Python's parser keeps bytes beyond ASCII as surrogates; `get_payload` would decode them."""
    payload = part._payload
    if isinstance(payload, str):
        return payload.encode("utf-8", "surrogateescape")
    try:
        return b"".join(child.as_bytes() for child in payload)
    except UnicodeError:
        return b""
