"""Everything that answers to the name of sendmail, with the relay as its smart host.

Each is handed three messages: one with everything in it; one that the API refuses for the moment
(503, so 451), which must be tried again and arrive once; one for suppressed recipients (550), which
must come back with our text: as a bounce from those with a queue, at once from the others.
"""

import dataclasses
import email.message
import subprocess
import time
import unittest

import message
import mta
import support
from support import harness

REFUSAL = "All recipients suppressed"
QUEUE_SECONDS = 45


@dataclasses.dataclass
class Sendmail:
    """`packages`: the program's own first, then those that it needs and few have."""

    name: str
    packages: list
    has_queue: bool = True
    encryptions: tuple = ("starttls", "tls")
    own_headers: tuple = ()
    limits: dict = dataclasses.field(default_factory=dict)
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
    "several recipients": "of a message for four, sent in four transactions, three copies came and "
    "one of those was cut; given one recipient",
    "verification": "reads no authorities; the certificate's hash is pinned",
}
_ESMTP = {
    "TLS 1.3": "libESMTP 1.1.0 waits for ever when a session ticket comes in front of a reply; "
    "held to TLS 1.2"
}

SENDMAILS = [
    Sendmail("msmtp-mta", ["msmtp-mta"], has_queue=False),
    Sendmail("esmtp", ["esmtp", "libesmtp6"], has_queue=False, encryptions=("starttls",),
             limits=_ESMTP),
    Sendmail("ssmtp", ["ssmtp"], has_queue=False),
    Sendmail("nullmailer", ["nullmailer"]),
    Sendmail("postfix", ["postfix", "libsasl2-modules", "libnsl2"]),
    Sendmail(
        "exim4",
        ["exim4-daemon-light", "exim4-base", "libgnutls-dane0", "libunbound8", "libidn12",
         "libnsl2", "libevent-2.1-7"],
    ),
    Sendmail("dma", ["dma"], has_mailbox=True, limits=_DMA),
    Sendmail("opensmtpd", ["opensmtpd", "libevent-2.1-7"]),
    Sendmail(
        "sendmail",
        ["sendmail-bin", "sendmail-base", "sendmail-cf", "m4", "libsasl2-modules", "libnsl2",
         "liblockfile1", "libwrap0"],
        encryptions=("starttls",),
    ),
]  # fmt: skip


def rich():
    """The message with everything in it, as Python's email writes it."""
    folder = support.new_folder("rich")
    given = message.write(folder)
    return subprocess.run(
        ["python3", support.PROGRAMS / "python_email.py", "--print"],
        env={"MESSAGE": str(given), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        check=True,
        capture_output=True,
    ).stdout


def plain(to, subject):
    text = email.message.EmailMessage()
    text["From"] = "sender@yourdomain.com"
    text["To"] = to
    text["Subject"] = subject
    text.set_content("Hello.\n")
    return text.as_bytes()


@support.for_each(SENDMAILS)
class Sendmails(support.ClientTestCase):
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
                support.note(client, encryption)

    def expect(self, client, run, flaky):
        status, shown = run.submitted("1-rich")
        self.assertEqual(status, 0, shown)
        status, shown = run.submitted("3-refused")
        if not client.has_queue:
            self.assertNotEqual(status, 0)
            self.assertIn(REFUSAL, shown)
            support.note(client, "suppressed")
            return message.check(self, self.sandbox, client.own_headers, client.limits)
        self.assertEqual(status, 0, shown)
        self.expect_queue(client, run, flaky)
        support.note(client, "API unavailable", "tried again, delivered once")
        support.note(client, "suppressed", "a bounce with our text")
        rich = [m["message_id"] for m in self.sandbox.list() if m["subject"] == message.SUBJECT]
        self.assertEqual(len(rich), 1)
        if "several recipients" in client.limits:
            return
        message.check(self, OneOf(self.sandbox, rich[0]), client.own_headers, client.limits)

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
        shown = found[index]["text_body"]
        # Some say it in the machine's part of the report only (message/delivery-status).
        for number in range(1, len(found[index].get("attachments", [])) + 1):
            shown += self.sandbox.attachment(listed[index]["message_id"], number).decode()
        self.assertIn(REFUSAL, " ".join(shown.split()))


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
