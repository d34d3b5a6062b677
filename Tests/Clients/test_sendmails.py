"""Everything that answers to the name of sendmail, with the relay as its smart host.

Each is handed three messages: one with everything in it; one that the API refuses for the moment
(503, so 451), which must be tried again and arrive once; one for suppressed recipients (550), which
must come back with our text: as a bounce from those with a queue, at once from the others. Each
meets the other rows of the error table, logs in with each mechanism that it has, and hands over a
message of 50 MB.
"""

import dataclasses
import email.message
import subprocess
import time
import unittest

import composers
import message
import mta
import support
from support import harness
from test_error_table import ROWS
from wiretap import Wiretap

REFUSAL = "All recipients suppressed"
QUEUE_SECONDS = 45
# What a sendmail with a queue makes of these, the messages above show.
RETRIED_AND_RETURNED = ("API unavailable", "suppressed")


@dataclasses.dataclass
class Sendmail:
    """`packages`: the program's own first, then those that it needs and few have."""

    name: str
    packages: list
    has_queue: bool = True
    encryptions: tuple = ("starttls", "tls")
    own_headers: tuple = ()
    limits: dict = dataclasses.field(default_factory=dict)
    mechanisms_missing: dict = dataclasses.field(default_factory=dict)
    # Rows of the error table whose text nobody is shown, with the reason.
    mute: dict = dataclasses.field(default_factory=dict)
    # Rows of which another text is shown.
    instead: dict = dataclasses.field(default_factory=dict)
    group: str = "Sendmails"
    # Its bounce goes to a mailbox of its own system, not through the relay.
    has_mailbox: bool = False

    def require(self, case):
        self.files = mta.packages(self.packages)
        reason = None if self.files else "cannot be fetched"
        if not reason and not mta.can_enter():
            reason = "needs a mount namespace, which is not allowed here"
        if reason and support.OPTIONAL:
            case.skipTest(f"{self.name} {reason}")
        case.assertIsNone(reason, self.name)

    @property
    def version(self):
        return ["dpkg-deb", "-f", mta.packages(self.packages[:1])[0], "Version"]


_DMA = {
    "several recipients": "are each sent a message of their own, so each is a call of its own; "
    "given one recipient",
    "verification": "reads no authorities; the certificate's hash is pinned",
}
_ESMTP = {
    "TLS 1.3": "libESMTP 1.1.0 waits for ever when a session ticket comes in front of a reply; "
    "held to TLS 1.2"
}
_OFFERED_PLAIN = "has no option for it and takes PLAIN where both are offered"
_LOGIN_ONLY = "knows LOGIN and CRAM-MD5"
_ESMTP_MUTE = "exits with 70 and says '0 (null)' of whatever is refused before RCPT"

SENDMAILS = [
    Sendmail("msmtp-mta", ["msmtp-mta"], has_queue=False),
    Sendmail(
        "esmtp", ["esmtp", "libesmtp6"], has_queue=False, encryptions=("starttls",), limits=_ESMTP,
        mute=dict.fromkeys([*composers.LOGIN_ROWS, "not logged in"], _ESMTP_MUTE),
        mechanisms_missing={"LOGIN": _OFFERED_PLAIN},
    ),
    Sendmail("ssmtp", ["ssmtp"], has_queue=False, mechanisms_missing={"PLAIN": _LOGIN_ONLY}),
    Sendmail("nullmailer", ["nullmailer"]),
    Sendmail("postfix", ["postfix", "libsasl2-modules", "libnsl2"]),
    Sendmail(
        "exim4",
        ["exim4-daemon-light", "exim4-base", "libgnutls-dane0", "libunbound8", "libidn12",
         "libnsl2", "libevent-2.1-7"],
    ),
    Sendmail(
        "dma", ["dma"], has_mailbox=True, limits=_DMA, mechanisms_missing={"PLAIN": _LOGIN_ONLY}
    ),
    Sendmail(
        "opensmtpd", ["opensmtpd", "libevent-2.1-7"],
        mechanisms_missing={"LOGIN": _OFFERED_PLAIN},
    ),
    Sendmail(
        "sendmail",
        ["sendmail-bin", "sendmail-base", "sendmail-cf", "m4", "libsasl2-modules", "libnsl2",
         "liblockfile1", "libwrap0"],
        encryptions=("starttls",),
        instead=dict.fromkeys(("wrong user", "key refused"), ROWS["not logged in"][4]),
    ),
]  # fmt: skip


def rich():
    return composed(message.write(support.new_folder("rich")))


def composed(given):
    """A message.json as Python's email writes it."""
    return subprocess.run(
        ["python3", support.PROGRAMS / "python_email.py", "--print"],
        env={"MESSAGE": str(given), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        check=True,
        capture_output=True,
    ).stdout


def plain(to, subject, headers=()):
    text = email.message.EmailMessage()
    text["From"] = "sender@yourdomain.com"
    text["To"] = to
    text["Subject"] = subject
    for name, value in dict(headers).items():
        text[name] = value
    text.set_content("Hello.\n")
    return text.as_bytes()


@support.for_each(SENDMAILS)
class Sendmails(support.ClientTestCase):
    # Those with a queue try a refused login again and again, from one address.
    arguments = (
        "--max-failed-logins-per-address", "10000", "--max-failed-logins-per-prefix", "10000",
    )  # fmt: skip

    def check_hands_over(self, client):
        for encryption in client.encryptions:
            with self.subTest(encryption):
                self.sandbox.clear()
                account = support.Account(self.relay, encryption)
                # An address that the sandbox has not seen, so that it fails once.
                flaky = f"{client.name}-{encryption}-{time.monotonic_ns()}@flaky.test"
                one = "several recipients" in client.limits
                messages = {"1-rich": plain("zoe@example.com", message.SUBJECT) if one else rich()}
                if client.has_queue:
                    messages["2-flaky"] = plain(flaky, "once more")
                messages["3-refused"] = plain("someone@suppressed.test", "suppressed")
                run = mta.Run(client.name, client.files, account, messages)
                self.addCleanup(run.end)
                try:
                    self.expect(client, run, flaky)
                except AssertionError as error:
                    raise AssertionError(f"{error}\n--- {client.name}:\n{run.log}") from error
                finally:
                    run.end()
                support.note_encryption(client, encryption)

    def expect(self, client, run, flaky):
        status, shown = run.submitted("1-rich")
        self.assertEqual(status, 0, shown)
        status, shown = run.submitted("3-refused")
        if not client.has_queue:
            self.assertNotEqual(status, 0)
            self.assertIn(REFUSAL, shown)
            support.note(client, "suppressed")
            seen = message.check(self, self.sandbox, client.own_headers, client.limits)
            return support.note_leaves(client, seen)
        self.assertEqual(status, 0, shown)
        self.expect_queue(client, run, flaky)
        support.note(client, "API unavailable", "yes: tried again, delivered once")
        support.note(client, "suppressed", "yes: in a bounce")
        rich = [m["message_id"] for m in self.sandbox.list() if m["subject"] == message.SUBJECT]
        self.assertEqual(len(rich), 1)
        if "several recipients" in client.limits:
            for leaf in message.LEAVES:
                support.note(client, leaf, "given a plain message")
            return
        only = OneOf(self.sandbox, rich[0])
        seen = message.check(self, only, client.own_headers, client.limits)
        support.note_leaves(client, seen)

    def check_logs_in_with_each_mechanism(self, client):
        for mechanism in ("PLAIN", "LOGIN"):
            if mechanism in client.mechanisms_missing:
                support.note(client, mechanism, client.mechanisms_missing[mechanism])
                continue
            with self.subTest(mechanism):
                self.sandbox.clear()
                account = support.Account(self.relay, client.encryptions[0], mechanism=mechanism)
                with Wiretap(account) as account.tap:
                    self.deliver(client, account, plain("someone@example.com", "a login"))
                    self.assertEqual(set(account.tap.mechanisms), {mechanism})
                support.note(client, mechanism)

    def check_hands_over_fifty_megabytes(self, client):
        if "50 MB" in client.limits:
            return support.note(client, "50 MB", client.limits["50 MB"])
        given = message.write_large(support.new_folder("large"))
        account = support.Account(self.relay, client.encryptions[-1])
        self.deliver(client, account, composed(given), support.LARGE_SECONDS)
        message.check_large(self, self.sandbox, given)
        support.note(client, "50 MB")

    def deliver(self, client, account, raw, seconds=QUEUE_SECONDS):
        run = mta.Run(client.name, client.files, account, {"message": raw})
        self.addCleanup(run.end)
        try:
            status, shown = run.submitted("message", seconds)
            self.assertEqual(status, 0, shown + run.log)
            harness.wait_until(self.sandbox.list, seconds, f"a message\n{run.log}\n")
        finally:
            run.end()

    def check_shows_each_error(self, client):
        """All rows at once: each is a program, and a root, of its own."""
        rows = [row for row in ROWS if not (client.has_queue and row in RETRIED_AND_RETURNED)]
        seen = {}

        def meet(index):
            seen[rows[index]] = self.meet(client, rows[index])

        harness.in_threads(len(rows), meet)
        for row, where in seen.items():
            with self.subTest(row):
                support.note(client, row, client.mute.get(row) or where)
                if row in client.instead:
                    support.note(client, row, f"goes on; shown is '{client.instead[row]}'")

    def meet(self, client, row):
        """Hands over a message that meets this row; where the text was then seen, for a note."""
        user, behaviour, to, headers, text = ROWS[row]
        text = client.instead.get(row, text)
        key = harness.new_key(behaviour)
        account = support.Account(self.relay, client.encryptions[0], user=user, key=key)
        raw = plain(to[0][1], row, headers)
        run = mta.Run(client.name, client.files, account, {"message": raw})
        self.addCleanup(run.end)
        try:
            status, _ = run.submitted("message")
            self.assertEqual(status == 0, client.has_queue)
            if row in client.mute:
                return None
            # The key is good: whoever has a queue sends a bounce.
            returned = client.has_queue and row == "malformed"
            return harness.wait_until(
                lambda: self.place_of(run, text, returned), QUEUE_SECONDS, f"{row}: {text!r}"
            )
        finally:
            run.end()

    def place_of(self, run, text, returned):
        """Where a text is shown, for a note; None as long as it is nowhere."""
        shown = {where: " ".join(each.split()) for where, each in run.shown().items()}
        for listed in self.sandbox.list():
            shown["bounce"] += self.words_of(listed["message_id"])
        if text in shown["at once"]:
            return "yes"
        if text in shown["bounce"]:
            return "yes: in a bounce"
        if text in shown["queue"] and not returned:
            return "yes: in its log, or in what it tells of its queue"
        return None

    def expect_queue(self, client, run, flaky):
        """The one that was tried again and the bounce, each once."""
        count = 2 if client.has_mailbox else 3
        mailbox = run.exchange / "mailbox"
        harness.wait_until(
            lambda: len(self.sandbox.list()) >= count
            and (not client.has_mailbox or REFUSAL in _read(mailbox)),
            QUEUE_SECONDS, f"{count} messages at the sandbox, and a bounce,",
        )  # fmt: skip
        time.sleep(1.5)  # For a second copy, if there were one, to arrive as well.
        listed = self.sandbox.list()
        found = [self.sandbox.message(m["message_id"]) for m in listed]
        subjects = [m["subject"] for m in found]
        self.assertEqual(len(found), count, subjects)
        self.assertEqual([m["to"] for m in found if m["subject"] == "once more"], [[flaky]])
        if client.has_mailbox:
            return self.assertIn(REFUSAL, _read(mailbox))
        index = next(
            i for i, m in enumerate(found) if m["subject"] not in (message.SUBJECT, "once more")
        )
        self.assertEqual(found[index]["to"], ["sender@yourdomain.com"])
        self.assertIn(REFUSAL, self.words_of(listed[index]["message_id"]))

    def words_of(self, message_id):
        """All that a bounce says: some say it in the machine's part of the report only
        (message/delivery-status)."""
        sent = self.sandbox.message(message_id)
        shown = sent.get("text_body", "")
        for number in range(1, len(sent.get("attachments", [])) + 1):
            shown += self.sandbox.attachment(message_id, number).decode(errors="replace")
        return " ".join(shown.split())


def _read(path):
    return path.read_text(errors="replace") if path.exists() else ""


class OneOf:
    """A sandbox seen as if it held one message."""

    def __init__(self, sandbox, message_id):
        self.sandbox, self.message_id = sandbox, message_id

    def only_message(self):
        return self.sandbox.message(self.message_id)

    def list(self):
        return [{"message_id": self.message_id}]

    def attachment(self, *arguments):
        return self.sandbox.attachment(*arguments)


if __name__ == "__main__":
    unittest.main()
