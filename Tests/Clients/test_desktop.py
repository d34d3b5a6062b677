"""Programs with windows, on a virtual display: what they send and what they show.

An authority that the programs trust has signed the relay's certificate, and they verify it.
"""

import dataclasses
import re
import unittest

import composers
import message
import mta
import support
import test_error_table
from desktop import authority, claws, evolution, thunderbird
from support import harness
from wiretap import Wiretap

ROWS = test_error_table.ROWS


@dataclasses.dataclass
class Desktop(support.Client):
    """A program with windows; `driver` drives it (desktop/)."""

    driver: object = None
    # What it uses by default if both are offered; empty: it has to be set.
    of_itself: str = ""
    group: str = "Desktop programs"
    text: str = message.TEXT
    html: str = message.HTML

    def require(self, case):
        super().require(case)
        if not mta.can_enter():
            reason = "a desk needs namespaces of its own, which are not allowed here"
            if support.OPTIONAL:
                case.skipTest(reason)
            case.fail(reason)

    def open(self, case, letters, ca=None):
        running = self.driver(letters, ca or case.ca)
        case.addCleanup(running.end)
        return running


def _debian(package):
    return ["dpkg-query", "-W", "-f=${Version}", package]


DESK = ["Xvfb", "unshare", "nsenter", "dbus-daemon"]
SCREEN = [*DESK, "xdotool", "/usr/lib/python3/dist-packages/gi", "/usr/share/doc/gir1.2-atspi-2.0",
          "/etc/ssl/certs/ca-certificates.crt"]  # fmt: skip
_CLAWS_DIALOG = "the dialog says 'An error happened during SMTP session'; its 'View log' our text"
_THUNDERBIRD_LOGIN = (
    "the dialog says 'Login to server … failed'; the Error Console (Ctrl+Shift+J) our text"
)

_NORMAL_PASSWORD = (
    "only if it alone is offered; 'Normal password' is one setting for both and prefers PLAIN"
)

# How editors change the text. Thunderbird's: several blanks become one, and in plain text those at
# the end of a line are removed. Evolution's: one of two blanks becomes a no-break space.
_LINES = message.TEXT.rstrip("\n")
_THUNDERBIRD_HTML = "<p>" + _LINES.replace("  ", " ").replace("\n", "<br>\n") + "</p>\n"
_THUNDERBIRD_TEXT = _LINES.replace("  ", "")
_NO_HEADER = "sends no header of the relay's without a plugin, so none that is wrong"
_EVOLUTION_REFUSED = "asks for the password again; CAMEL_DEBUG=smtp shows our text"
_EVOLUTION_LOGIN = (
    "the dialog says 'Bad authentication response from server'; CAMEL_DEBUG=smtp shows our text"
)
# A line of the text is a block; the page with the picture is the signature.
_EVOLUTION_HTML = (
    "".join(f"<div>{line}<br></div>" for line in _LINES.replace("  ", "&nbsp; ").split("\n"))
    + f"<div><br></div><div><span><pre>-- <br></pre>{message.HTML}</span></div>"
)

DESKTOP = [
    Desktop(
        "Thunderbird", ["thunderbird", "certutil", *DESK], _debian("thunderbird"), None,
        own_headers=("user-agent",),
        hides=dict.fromkeys(("key refused", "key cannot be checked"), _THUNDERBIRD_LOGIN),
        of_itself="PLAIN", mechanisms_by_offer={"LOGIN": _NORMAL_PASSWORD},
        driver=thunderbird.Thunderbird,
        text=_THUNDERBIRD_TEXT + "\n\nHallo Zoë 👋\n\n夏\n",
        html=_THUNDERBIRD_HTML + message.HTML,
    ),
    Desktop(
        "Claws Mail", ["claws-mail", *SCREEN], _debian("claws-mail"), None,
        own_headers=("x-mailer",),
        limits={
            "HTML": "writes text alone",
            "Content-ID": "attaches the picture, because it writes no HTML",
            **composers.CANONICAL,
        },
        hides=dict.fromkeys(composers.ROWS, _CLAWS_DIALOG),
        of_itself="LOGIN",
        driver=claws.ClawsMail,
    ),
    Desktop(
        "Evolution", ["evolution", *SCREEN], _debian("evolution"), None,
        own_headers=("user-agent",),
        limits={"custom headers": "only with a plugin of another package"},
        hides={
            **dict.fromkeys(("wrong user", "key refused"), _EVOLUTION_REFUSED),
            "key cannot be checked": _EVOLUTION_LOGIN,
        },
        driver=evolution.Evolution,
        text=_LINES.replace("  ", "\xa0 ") + "\n\n-- \nHallo Zoë 👋\n夏\n",
        html=_EVOLUTION_HTML,
    ),
]  # fmt: skip


class DesktopTestCase(support.ClientTestCase):
    @classmethod
    def setUpClass(cls):
        cls.ca, certificate, key = authority.make(support.new_folder("authority"))
        cls.certificate = (certificate, key)
        cls.arguments = (
            *test_error_table.ErrorTable.arguments, "--tls-cert", certificate, "--tls-key", key,
        )  # fmt: skip
        super().setUpClass()
        cls.relay.certificate = cls.ca  # What a tap verifies it with.


@support.for_each(DESKTOP)
class Desktops(DesktopTestCase):
    def check_sends_everything(self, client):
        given = support.read(message.write(support.new_folder(client.name)))
        letters = [(support.Account(self.relay, name), given) for name in client.encryptions]
        program = client.open(self, letters)
        for number, encryption in enumerate(client.encryptions, 1):
            with self.subTest(encryption):
                self.sandbox.clear()
                self.assertEqual(program.send(number).dialogs, [])
                seen = message.check(
                    self, Composed(self.sandbox), client.own_headers, client.limits,
                    client.text, client.html,
                )  # fmt: skip
                support.note_encryption(client, encryption)
                support.note_leaves(client, seen)

    def check_logs_in_with_each_mechanism(self, client):
        """The mechanism of its setting, or the only one that is offered; and its default."""
        asked = [*support.each_mechanism(client)]
        if client.of_itself and not client.mechanisms_by_offer:
            asked.insert(0, ("", ""))
        letters = []
        for mechanism, offered in asked:
            account = support.Account(self.relay, mechanism=mechanism)
            account.tap = Wiretap(account, *self.certificate, offered=offered)
            self.addCleanup(account.tap.close)
            given = message.write(support.new_folder(client.name), rich=False)
            letters.append((account, support.read(given)))
        program = client.open(self, letters)
        for number, (mechanism, _) in enumerate(asked, 1):
            with self.subTest(mechanism or "of itself"):
                self.sandbox.clear()
                self.assertEqual(program.send(number).dialogs, [])
                taken = mechanism or client.of_itself
                self.assertEqual(letters[number - 1][0].tap.mechanisms, [taken])
                self.assertEqual(self.sandbox.only_message()["subject"], message.SUBJECT)
                support.note_mechanism(client, taken)
                if taken == client.of_itself:
                    support.note(client, taken, "yes: its own choice")

    def check_refuses_an_unknown_authority(self, client):
        other, _, _ = authority.make(support.new_folder("other-authority"))
        given = support.read(message.write(support.new_folder(client.name), rich=False))
        program = client.open(self, [(support.Account(self.relay), given)], other)
        self.assertRegex(" ".join(program.send(1).dialogs).lower(), "certificate|trust")
        self.assertEqual(self.sandbox.list(), [])
        support.note(client, "verifies")

    def check_sends_fifty_megabytes(self, client):
        path = message.write_large(support.new_folder(client.name))
        account = support.Account(self.relay, client.encryptions[-1])
        program = client.open(self, [(account, support.read(path))])
        self.assertEqual(program.send(1, support.LARGE_SECONDS).dialogs, [])
        message.check_large(self, self.sandbox, path)
        support.note(client, "50 MB")

    def check_shows_each_error(self, client):
        letters = []
        for user, behaviour, to, headers, _ in ROWS.values():
            folder = support.new_folder(client.name)
            given = support.read(message.write(folder, rich=False, to=to, headers=headers))
            key = harness.new_key(behaviour)
            letters.append((support.Account(self.relay, user=user, key=key), given))
        program = client.open(self, letters)
        for number, (row, (*_, text)) in enumerate(ROWS.items(), 1):
            if row == "malformed" and "custom headers" in client.limits:
                support.note(client, row, _NO_HEADER)
                continue
            # A rate limit that has begun refuses the second message before its first byte.
            for _ in range(2 if row == "rate limit" else 1):
                with self.subTest(row):
                    self.expect(client, row, program.send(number), text, letters[number - 1][0].key)
        self.assertEqual(self.sandbox.list(), [], "refused, and yet sent")

    def expect(self, client, row, shown, text, key):
        said = " ".join(" ".join(shown.dialogs).split())
        self.assertNotEqual(said, "", "nothing was said")
        if row in client.hides:
            self.assertNotIn(text, said, "it does show the text")
            self.assertIn(text, " ".join(shown.log.split()))
        else:
            self.assertIn(text, said)
        self.assertNotIn(key, said + shown.log)
        support.note(client, row, client.hides.get(row, "yes"))


class Composed:
    """A sandbox's only message, as if an editor had written HTML and Content-ID as they were given:
    only the body of the page, without the indentation; its picture renamed."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.list, self.attachment = sandbox.list, sandbox.attachment

    def only_message(self):
        sent = self.sandbox.only_message()
        page = sent.get("html_body")
        if page is None:
            return sent
        lines = re.search(r"<body[^>]*>(.*)</body>", page, re.DOTALL)[1].strip().splitlines()
        sent["html_body"] = "\n".join(line.strip() for line in lines)
        for file in sent["attachments"]:
            if "content_id" in file and f'"cid:{file["content_id"]}"' in page:
                own, file["content_id"] = file["content_id"], message.CONTENT_ID
                sent["html_body"] = sent["html_body"].replace(own, message.CONTENT_ID)
        return sent


if __name__ == "__main__":
    unittest.main()
