"""The mail servers of Tests/Queues: Postfix, Exim, OpenSMTPD and sendmail, with short retry times.

Roots, packages and configurations are those of Tests/Clients. Messages may be handed over at any
time, with an envelope of their own. What became of each recipient is read from the server's log:
sent, deferred or bounced, and the text that the server was told.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
for folder in ("EndToEnd", "Faults", "Clients"):
    sys.path.insert(0, str(HERE.parent / folder))

import mta  # noqa: E402
import support  # noqa: E402
import test_sendmails  # noqa: E402
import uring  # noqa: E402, F401
from support import harness  # noqa: E402

# Seconds between two tries.
RETRY_SECONDS = 4
NAMES = ("postfix", "exim4", "opensmtpd", "sendmail")
SERVERS = [each for each in test_sendmails.SENDMAILS if each.name in NAMES]
# Ends a process when its parent ends, also by SIGKILL.
WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")

SENT, DEFERRED, BOUNCED = "sent", "deferred", "bounced"


def _postfix(line):
    found = re.search(r" to=<([^>]+)>,.* status=(sent|deferred|bounced|expired) \((.*)\)$", line)
    return found and ([found[1]], BOUNCED if found[2] == "expired" else found[2], found[3])


def _exim4(line):
    found = re.search(r" (=>|->|==|\*\*) (\S+@\S+) (.*)", line)
    words = {"=>": SENT, "->": SENT, "==": DEFERRED, "**": BOUNCED}
    return found and ([found[2]], words[found[1]], found[3])


def _opensmtpd(line):
    found = re.search(r' to=<([^>]+)> .*result="?(Ok|TempFail|PermFail)"? stat="?(.*?)"?$', line)
    words = {"Ok": SENT, "TempFail": DEFERRED, "PermFail": BOUNCED}
    return found and ([found[1]], words[found[2]], found[3])


def _sendmail(line):
    found = re.search(r" to=(\S+), .*dsn=([245])[.0-9]*, (.*stat=.*)", line)
    words = {"2": SENT, "4": DEFERRED, "5": BOUNCED}
    return found and (re.findall(r"[^<>,]+@[^<>,]+", found[1]), words[found[2]], found[3])


# Of each server: the files that have its log, its reader, how its list says that nothing waits.
LOGS = {
    "postfix": (("maillog",), _postfix, "Mail queue is empty"),
    "exim4": (("exim/mainlog",), _exim4, ""),
    "opensmtpd": (("log", "syslog"), _opensmtpd, ""),
    "sendmail": (("syslog",), _sendmail, "is empty"),
}


class Server:
    """A mail server with the relay at `port` as its smart host, from its first message until
    `end`."""

    def __init__(self, client, port, key, ca, retry_seconds=RETRY_SECONDS):
        self.client = client
        self.exchange = support.new_folder(client.name)
        shutil.copy(mta.SCRIPTS / "drive.sh", self.exchange / "drive.sh")
        shutil.copy(mta.SCRIPTS / f"{client.name}.sh", self.exchange / "base.sh")
        shutil.copy(HERE / "mtas/queue.sh", self.exchange / "queue.sh")
        shutil.copy(HERE / f"mtas/{client.name}.sh", self.exchange / f"{client.name}.sh")
        shutil.copy(ca, self.exchange / "ca.pem")
        self.environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "MTA": client.name,
            "LC_ALL": "C.UTF-8", "SMTP_PORT": str(port), "SMTP_TLS": "starttls", "SMTP_AUTH": "",
            "SMTP_USER": "postscale", "SMTP_KEY": key, "RETRY": str(retry_seconds),
        }  # fmt: skip
        self.process = None

    def hand_over(self, name, raw, sender, recipients):
        """Submits a message; the first one starts the server. The recipients are the envelope's
        alone."""
        (self.exchange / f"{name}.from").write_text(sender)
        (self.exchange / f"{name}.to").write_text(" ".join(recipients))
        (self.exchange / f"{name}.new").write_bytes(raw.replace(b"\r\n", b"\n"))
        (self.exchange / f"{name}.new").rename(self.exchange / f"{name}.eml")
        if self.process is None:
            self.start()

    def start(self):
        with open(self.exchange / "log", "wb") as log:
            self.process = subprocess.Popen(
                [*WITH_PARENT, "unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child"]
                + ["--mount-proc", "sh", "-c", mta.ENTER, "sh", str(self.exchange)]
                + self.client.files,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment,
            )  # fmt: skip

    def end(self):
        """Ends the server and everything that it started."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def read(self, name):
        path = self.exchange / name
        return path.read_text(errors="replace") if path.exists() else ""

    def history(self):
        """(recipient, verdict, text) of every try, in order."""
        files, reader, _ = LOGS[self.client.name]
        tries = []
        for line in "\n".join(map(self.read, files)).splitlines():
            found = reader(line)
            if found:
                tries += [(recipient, *found[1:]) for recipient in found[0]]
        return tries

    def verdicts(self, recipient):
        """The verdict of each try."""
        return [verdict for to, verdict, _ in self.history() if to == recipient]

    def texts(self, recipient):
        return [text for to, _, text in self.history() if to == recipient]

    def verdict(self, recipient):
        """The last one; "waiting" before the first try."""
        return (self.verdicts(recipient) or ["waiting"])[-1]

    def has_empty_queue(self):
        """As its own list of the queue says. The list may be half a second old."""
        listed, empty = self.read("queue").strip(), LOGS[self.client.name][2]
        return (empty in listed) if empty else (self.exchange / "queue").exists() and not listed

    def account(self):
        """What a failed test shows."""
        return "\n".join([f"--- {self.client.name}"] + [
            f"{to}: {verdict}: {text[:160]}" for to, verdict, text in self.history()[-20:]
        ] + [self.read("queue")[-1500:], self.read("log")[-1500:]])  # fmt: skip
