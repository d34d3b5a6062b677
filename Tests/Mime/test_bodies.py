"""Generated trees of parts: the relay's bodies, and those of a second reading of RFC 8621 (`shown.py`).

Whichever body a reader's program shows, it shows the whole letter: every word of every shown text
stands in each body that is sent, in order, once. What is no shown text is a file, with its name and
its bytes, or is left out and counted. CI runs the same trees each time; `BODIES_CASES=200000
BODIES_SEED=7` runs more and others, and `BODIES_SEED=7 BODIES_ONLY=1234` shows one.
"""

import base64
import collections
import html
import os
import re
import unittest

from compare import LEFT_OUT
from explain import Explainer
from shown import algorithm, shown
from trees import RARE_FORMS, WORD, Grower, message

CASES = int(os.environ.get("BODIES_CASES", "20000"))
SEED = int(os.environ.get("BODIES_SEED", "2026"))
ONLY = os.environ.get("BODIES_ONLY")
#: Different findings that are shown, each with its smallest message.
FINDINGS_MAX = 10


def problems(tree, explanation):
    """(kind, details) of each thing that the request of a tree has wrong."""
    if "refused" in explanation:
        return [("refused", explanation["refused"])]
    request, expected = explanation["request"], shown(tree)
    found = body_problems("text_body", request.get("text_body"), expected.text)
    found += body_problems("html_body", request.get("html_body"), expected.html)
    found += file_problems(request.get("attachments", []), expected.files)
    counted = explanation["losses"].get(LEFT_OUT, 0)
    if bool(counted) != bool(expected.left_out):
        found.append(("left out", f"{counted} are counted of {expected.left_out}"))
    return found


def body_problems(field, body, texts):
    if texts is None:
        is_absent = body is None or not body.strip() or not WORD.search(body) and not expects_any(body)
        return [] if is_absent else [(f"{field} is there", repr(body[:200]))]
    if body is None:
        return [(f"{field} is absent", str(texts))]
    words = [word for text in texts for word in text.words]
    if WORD.findall(body) != words:
        return [(f"{field} has other words", f"{WORD.findall(body)}, not {words}")]
    found = []
    if field == "html_body":
        for text in texts:
            if text.type == "text/plain" and not stands_escaped(text, body):
                found.append(("a plain text is not escaped", repr(body[:300])))
            if text.type == "text/html" and text.text.strip() not in body.replace("\n", "\r\n"):
                found.append(("an HTML text is not as it was", repr(body[:300])))
    else:
        at = 0
        for text in texts:
            lines = text.text.strip().replace("\r\n", "\n")
            start = body.find(lines, at)
            if start < 0:
                found.append(("a plain text is not as it was", repr(body[:300])))
            elif at and "\n" not in body[at:start]:
                found.append(("no line end between two texts", repr(body[:300])))
            at = start + len(lines)
    return found


def expects_any(body):
    """Whether a body without words shows something all the same."""
    return bool(re.search(r"<img", body))


def stands_escaped(text, body):
    """Whether a plain text is in the HTML, its lines on lines of their own."""
    lines = [line for line in text.text.split("\r\n") if line.strip()]
    start = None
    for line in lines:
        # Several blanks may be written in a way that keeps them.
        pieces = [html.escape(piece, quote=False) for piece in line.split(" ") if piece]
        blank = r"(?: |&nbsp;|&#160;|\u00a0)+"
        pattern = blank.join(re.escape(piece).replace('"', '(?:"|&quot;|&#34;)') for piece in pieces)
        place = re.search(pattern, body)
        if not place:
            return False
        between = body[start:place.start()] if start is not None else "\n"
        if "\n" not in between and "<br" not in between:
            return False
        start = place.end()
    return True


def file_problems(attachments, parts):
    # A text that is a file only because another part is the root comes last: it had to be held.
    by_words = {tuple(part.words): part for part in parts}
    sent = [tuple(WORD.findall(base64.b64decode(file["content"]).decode("utf-8", "replace")))
            for file in attachments]
    if sorted(sent) != sorted(by_words):
        return [("files", f"{sent}, not {parts}")]
    found = []
    in_order = [words for words in by_words if not by_words[words].type.startswith("text/")]
    if [words for words in sent if words in in_order] != in_order:
        found.append(("order of files", f"{sent}, not {parts}"))
    for file, words in zip(attachments, sent):
        part = by_words[words]
        if base64.b64decode(file["content"]) != part.text.encode():
            found.append(("bytes of a file", f"{part}: {file['content'][:80]}"))
        if part.name and file["filename"] != part.name:
            found.append(("name of a file", f"{file['filename']}, not {part.name}"))
        if not part.name and part.type == "text/calendar" and file["filename"] != "invite.ics":
            found.append(("name of an invitation", file["filename"]))
        type = file["content_type"]
        if type.split(";")[0].strip().lower() != part.type:
            found.append(("type of a file", f"{type}, not {part.type}"))
        if part.type == "text/calendar" and not re.search(r"method=\"?REQUEST", type):
            found.append(("method of an invitation", type))
        if part.type.startswith("image/") and part.content_id \
                and file.get("content_id") != part.content_id:
            found.append(("id of a picture", f"{file.get('content_id')}, not {part.content_id}"))
    return found


def is_plain_case(tree, in_alternative=False):
    """Whether a tree has nothing that the RFC's algorithm does not know or does otherwise."""
    if not tree.is_multipart:
        return tree.holds != "nothing" and tree.type not in RARE_FORMS \
            and (tree.is_attached or not tree.name or not tree.type.startswith("text/"))
    if tree.start is not None or in_alternative and tree.subtype != "related":
        return False
    if tree.subtype == "related" and all(leaf.holds != "words" for leaf in leaves(tree.children[0])):
        return False
    is_alternative = tree.subtype == "alternative"
    forms = [leaf.type for leaf in leaves(tree) if leaf.holds == "words"]
    if is_alternative and len(set(forms)) < len(forms):
        return False
    return all(is_plain_case(child, in_alternative or is_alternative) for child in tree.children)


def leaves(tree):
    return [leaf for child in tree.children for leaf in leaves(child)] if tree.children else [tree]


class SecondReading(unittest.TestCase):
    def test_it_agrees_with_the_algorithm_of_the_rfc(self):
        grower, count = Grower(SEED), 0
        for _ in range(min(CASES, 5000)):
            tree = grower.tree()
            if not is_plain_case(tree):
                continue
            count += 1
            ours, (text, rich, attachments) = shown(tree), algorithm(tree)
            def texts(parts):
                return [part for part in parts if part.type.startswith("text/")]
            if ours.html is not None:
                self.assertEqual(ours.html, texts(rich), tree)
            if ours.text is not None:
                self.assertEqual(ours.text, texts(text), tree)
            if ours.text is None and ours.html is None:
                self.assertEqual(texts(text + rich), [], tree)
            self.assertEqual([part for part in ours.files if part not in text + rich],
                             attachments, tree)
        self.assertGreater(count, min(CASES, 5000) // 10)


class Bodies(unittest.TestCase):
    def test_each_body_shows_the_whole_letter(self):
        findings, counts = {}, collections.Counter()
        with Explainer("--max-attachments", "1000") as explainer:
            grower = Grower(SEED)
            for case in range(CASES):
                tree = grower.tree()
                if ONLY is not None and case != int(ONLY):
                    continue
                data = message(tree)
                explanation = explainer.explain(data)
                counts[", ".join(field for field in ("text_body", "html_body", "attachments")
                                 if field in explanation.get("request", {}))] += 1
                for kind, details in problems(tree, explanation):
                    counts[f"problem: {kind}"] += 1
                    if kind not in findings or len(data) < len(findings[kind][1]):
                        findings[kind] = case, data, f"{tree}\n    {details}"
        print(f"{CASES} trees of seed {SEED}: " + "; ".join(
            f"{count} {kind}" for kind, count in counts.most_common()))
        shown_findings = [
            f"{kind} (BODIES_SEED={SEED} BODIES_ONLY={case}):\n    {details}"
            + ("\n" + data.decode() if ONLY is not None else "")
            for kind, (case, data, details) in list(findings.items())[:FINDINGS_MAX]]
        self.assertEqual(findings, {}, "\n" + "\n".join(shown_findings))


if __name__ == "__main__":
    unittest.main()
