"""All programs that can act as sendmail, with the relay as their smart host.

Each gets three messages: one with everything in it; one that the API refuses temporarily (503, so
451), which the program must try again and which must arrive once; one for suppressed recipients
(550), which must come back with our text: as a bounce from programs with a queue, at once from the
others. Each also gets the other rows of the error table, logs in with each mechanism that it has,
hands over a message of 50 MB, and does not log in to a server whose certificate it cannot trust.
"""

import dataclasses
import email.message
import email.utils
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
# The messages above show what a sendmail with a queue does with these.
RETRIED_AND_RETURNED = ("API unavailable", "suppressed")
# Temporary refusals (4yz): a program with a queue keeps the message and tries again.
FOR_THE_MOMENT = ("key cannot be checked", "rate limit")


@dataclasses.dataclass
class Sendmail:
    """`packages`: the program's own first, then packages that it needs and that few systems
    have."""

    name: str
    packages: list
    has_queue: bool = True
    encryptions: tuple = ("starttls", "tls")
    own_headers: tuple = ()
    limits: dict = dataclasses.field(default_factory=dict)
    mechanisms_missing: dict = dataclasses.field(default_factory=dict)
    mechanisms_by_offer: dict = dataclasses.field(default_factory=dict)
    # Rows of the error table whose text no person is shown, with the reason.
    mute: dict = dataclasses.field(default_factory=dict)
    # Rows for which another text is shown.
    instead: dict = dataclasses.field(default_factory=dict)
    group: str = "Sendmails"
    # Its bounce goes to a mailbox of its own system and not through the relay.
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
    "several recipients": "each gets a message of its own, so each is a call of its own",
    "verification": "reads no authorities; the certificate's hash is pinned",
}
_ESMTP = {
    "TLS 1.3": "libESMTP 1.1.0 waits for ever when a session ticket comes before a reply; "
    "held to TLS 1.2"
}
_OFFERED_PLAIN = "only if it alone is offered; has no option, and prefers PLAIN"
_SSMTP = {
    "verifies": "Debian's build verifies nothing: it says 'Unable to set TLS_CA_File' and goes on"
}
_LOGIN_ONLY = "knows LOGIN and CRAM-MD5"
_ESMTP_MUTE = "exits with 70 and says '0 (null)' for everything that is refused before RCPT"

SENDMAILS = [
    Sendmail("msmtp-mta", ["msmtp-mta"], has_queue=False),
    Sendmail(
        "esmtp", ["esmtp", "libesmtp6"], has_queue=False, encryptions=("starttls",), limits=_ESMTP,
        mute=dict.fromkeys([*composers.LOGIN_ROWS, "not logged in"], _ESMTP_MUTE),
        mechanisms_by_offer={"LOGIN": _OFFERED_PLAIN},
    ),
    Sendmail(
        "ssmtp", ["ssmtp"], has_queue=False, limits=_SSMTP,
        mechanisms_missing={"PLAIN": _LOGIN_ONLY},
    ),
    Sendmail("nullmailer", ["nullmailer"]),
    Sendmail("postfix", ["postfix", "libsasl2-modules", "libnsl2"]),
    Sendmail(
        "exim4",
        ["exim4-daemon-light", "exim4-base", "libgnutls-dane0", "libunbound8", "libidn12",
         "libnsl2", "libevent-2.1-7"],
    ),
    Sendmail(
        "dma", ["dma"], has_mailbox=True, limits=_DMA, mechanisms_missing={"PLAIN": _LOGIN_ONLY},
    ),
    Sendmail(
        "opensmtpd", ["opensmtpd", "libevent-2.1-7"],
        mechanisms_by_offer={"LOGIN": _OFFERED_PLAIN},
    ),
    Sendmail(
        "sendmail",
        ["sendmail-bin", "sendmail-base", "sendmail-cf", "m4", "libsasl2-modules", "libnsl2",
         "liblockfile1", "libwrap0"],
        encryptions=("starttls",),
        instead=dict.fromkeys(("wrong user", "key refused"), "Authentication failed, log in again"),
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
    # Programs with a queue repeat a refused login, all from one address.
    arguments = (
        "--max-failed-logins-per-address", "10000", "--max-failed-logins-per-prefix", "10000",
    )  # fmt: skip

    def check_hands_over(self, client):
        for encryption in client.encryptions:
            with self.subTest(encryption):
                self.sandbox.clear()
                account = support.Account(self.relay, encryption)
                # An address that is new to the sandbox, so that it fails once.
                flaky = f"{client.name}-{encryption}-{time.monotonic_ns()}@flaky.test"
                messages = {"1-rich": rich()}
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
        wholes = self.whole_ones(client, [OneOf(self.sandbox, one) for one in rich])
        for one, people in wholes:
            seen = message.check(self, one, client.own_headers, client.limits, people=people)
        support.note_leaves(client, seen)

    def whole_ones(self, client, calls):
        """[(a call with the whole message, the To, Cc and Bcc that it must have)]: one with all
        of them, or one for each recipient."""
        if "several recipients" not in client.limits:
            self.assertEqual(len(calls), 1)
            return [(calls[0], message.PEOPLE)]
        alone = [([person], [], []) for kind in message.PEOPLE for person in kind]
        calls.sort(key=lambda call: email.utils.parseaddr(call.only_message()["to"][0])[1])
        alone.sort(key=lambda people: people[0][0][1])
        self.assertEqual(len(calls), len(alone))
        return list(zip(calls, alone))

    def check_logs_in_with_each_mechanism(self, client):
        for mechanism, offered in support.each_mechanism(client):
            with self.subTest(mechanism):
                self.sandbox.clear()
                account = support.Account(self.relay, client.encryptions[0], mechanism=mechanism)
                with Wiretap(account, offered=offered) as account.tap:
                    self.deliver(client, account, plain("someone@example.com", "a login"))
                    self.assertEqual(set(account.tap.mechanisms), {mechanism})
                support.note_mechanism(client, mechanism)

    def check_verifies_the_certificate(self, client):
        account = support.Account(self.relay, client.encryptions[-1])
        with Wiretap(account) as account.tap:
            account.tap.ca = self.relay.certificate  # This certificate is trusted; the tap's is not.
            raw = plain("someone@example.com", "not to be sent")
            run = mta.Run(client.name, client.files, account, {"message": raw})
            self.addCleanup(run.end)
            try:
                status, shown = run.submitted("message")
                if "verifies" in client.limits:
                    self.assertEqual(len(account.tap.mechanisms), 1, "it does verify")
                    return support.note(client, "verifies", client.limits["verifies"])
                self.assertEqual(status == 0, client.has_queue, shown)
                # A program with a queue comes again, so by then its first attempt has ended.
                attempts = 2 if client.has_queue else 1
                harness.wait_until(
                    lambda: account.tap.connections >= attempts, QUEUE_SECONDS,
                    f"{attempts} attempts\n{run.log}\n",
                )  # fmt: skip
            finally:
                run.end()
            self.assertEqual(account.tap.mechanisms, [])
        self.assertEqual(self.sandbox.list(), [])
        support.note(client, "verifies")

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
                    support.note(client, row, f"goes on; shows '{client.instead[row]}'")

    def meet(self, client, row):
        """Hands over a message that leads to this row; returns where the text was seen, for a
        note."""
        user, behaviour, to, headers, text = ROWS[row]
        text = client.instead.get(row, text)
        key = harness.new_key(behaviour)
        account = support.Account(self.relay, client.encryptions[0], user=user, key=key)
        account.tap = Wiretap(account)
        self.addCleanup(account.tap.close)
        raw = plain(to[0][1], row, headers)
        run = mta.Run(client.name, client.files, account, {"message": raw})
        self.addCleanup(run.end)
        try:
            status, _ = run.submitted("message")
            self.assertEqual(status == 0, client.has_queue)
            if row in client.mute:
                return None
            # The key is good, so a program with a queue sends a bounce.
            returned = client.has_queue and row == "malformed"
            where = harness.wait_until(
                lambda: self.place_of(run, text, returned), QUEUE_SECONDS, f"{row}: {text!r}"
            )
            if not client.has_queue or row not in FOR_THE_MOMENT:
                return where
            return f"{where}; {self.outcome(row, run, text)}"
        finally:
            run.end()

    def outcome(self, row, run, text):
        """What happens to a message that was refused temporarily, for a note."""
        tap = run.account.tap
        harness.wait_until(lambda: tap.connections > 1, QUEUE_SECONDS, f"{row}: another attempt")
        self.assertNotIn(text, self.bounces(run), "returned")
        return "tried again"

    def bounces(self, run):
        """The text of all bounces, in its own mailbox or at the sandbox."""
        words = " ".join(run.shown()["bounce"].split())
        for listed in self.sandbox.list():
            words += self.words_of(listed["message_id"])
        return words

    def place_of(self, run, text, returned):
        """Where a text is shown, for a note; None while it is nowhere."""
        shown = {where: " ".join(each.split()) for where, each in run.shown().items()}
        if text in shown["at once"]:
            return "yes"
        if text in self.bounces(run):
            return "yes: in a bounce"
        if text in shown["queue"] and not returned:
            return "yes: in its log, or in the list of its queue"
        return None

    def expect_queue(self, client, run, flaky):
        """The one that was tried again and the bounce, each once."""
        # The whole message, the one that was tried again, the bounce.
        whole = sum(map(len, message.PEOPLE)) if "several recipients" in client.limits else 1
        count = whole + (1 if client.has_mailbox else 2)
        mailbox = run.exchange / "mailbox"
        harness.wait_until(
            lambda: len(self.sandbox.list()) >= count
            and (not client.has_mailbox or REFUSAL in _read(mailbox)),
            QUEUE_SECONDS, f"{count} messages at the sandbox, and a bounce,",
        )  # fmt: skip
        time.sleep(1.5)  # So that a second copy, if there is one, arrives as well.
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
        """The whole text of a bounce: some have it only in the report's machine-readable part
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
