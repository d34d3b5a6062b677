"""What the tests of real clients share: how a client is described, run and reported on.

A client is a program that is not ours. It gets an account (host, port, encryption, user, key and
the certificate to trust) and a message, and runs as its own documents say. It must be installed:
the tests of a missing client fail, or are skipped with a message if $CLIENTS_OPTIONAL is 1. The
results are noted in the file $CLIENTS_REPORT, from which matrix.py writes docs/evidence/clients.md.
"""

import dataclasses
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "EndToEnd"))

import harness  # noqa: E402 - found by the line above

import message  # noqa: E402
from message import read  # noqa: E402, F401 - for the clients

PROGRAMS = HERE / "programs"
OPTIONAL = os.environ.get("CLIENTS_OPTIONAL") == "1"
REPORT = os.environ.get("CLIENTS_REPORT")
MECHANISMS = ("PLAIN", "LOGIN")
RUN_SECONDS = 60
# For 50 MB: the slowest clients take seconds, and minutes on a busy machine.
LARGE_SECONDS = 300


@dataclasses.dataclass
class Account:
    """What a user types into a client's settings. If `user` is empty, there is no login."""

    relay: harness.Relay
    encryption: str = "starttls"
    user: str = "postscale"
    key: str = dataclasses.field(default_factory=harness.new_key)
    verbose: bool = False
    # PLAIN or LOGIN, where the client can be told; empty: the client's own choice.
    mechanism: str = ""
    host: str = "localhost"
    # A tap (wiretap.py) to which the client connects instead of the relay.
    tap: object = None

    @property
    def port(self):
        if self.tap:
            return self.tap.port
        return self.relay.tls_port if self.encryption == "tls" else self.relay.ports[0]

    @property
    def ca(self):
        return self.tap.ca if self.tap else self.relay.certificate


@dataclasses.dataclass
class Client:
    """One program. `command(account, message, folder)` gives (arguments, standard input) and may
    write configuration files into `folder`; `message` is the path of a message.json."""

    name: str
    needs: list  # Programs or files that must exist; the first is the client's own.
    version: list  # A command; the first line it prints.
    command: object
    # Headers that the client adds itself, in lower case.
    own_headers: tuple = ()
    # What it cannot express, with the reason; message.py tells what each name excuses.
    limits: dict = dataclasses.field(default_factory=dict)
    # Rows of the error table whose text it does not show, with the reason.
    hides: dict = dataclasses.field(default_factory=dict)
    # Rows whose text it never shows.
    mute: dict = dataclasses.field(default_factory=dict)
    encryptions: tuple = ("starttls", "tls")
    # Mechanisms that it does not have, with the reason.
    mechanisms_missing: dict = dataclasses.field(default_factory=dict)
    # Mechanisms that it uses only if no other is offered, with the reason.
    mechanisms_by_offer: dict = dataclasses.field(default_factory=dict)
    # It sends no files: its 50 MB are text.
    is_large_as_text: bool = False
    # The table of docs/evidence/clients.md in which it appears.
    group: str = "Composers and libraries"

    def missing(self):
        """The first thing that is not installed, or None."""
        for need in self.needs:
            if not (os.path.exists(need) if need.startswith("/") else shutil.which(need)):
                return need
        return None

    def require(self, case):
        missing = self.missing()
        if missing and OPTIONAL:
            print(f"{self.name} is not installed ({missing}): skipped", file=sys.stderr)
            case.skipTest(f"{missing} is not installed")
        case.assertIsNone(missing, f"{self.name} is not installed")

    def environment(self, account, message, folder):
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "MESSAGE": str(message),
            "SMTP_HOST": "localhost",
            "SMTP_PORT": str(account.port),
            "SMTP_TLS": account.encryption,
            "SMTP_USER": account.user,
            "SMTP_KEY": account.key,
            "SMTP_AUTH": account.mechanism,
            "SMTP_VERBOSE": "1" if account.verbose else "",
            # The relay's certificate is where a system keeps the authorities that it trusts:
            # OpenSSL (Python, PHP, Ruby) and Go read the first variable, Node.js the second.
            "SSL_CERT_FILE": account.ca,
            "NODE_EXTRA_CA_CERTS": account.ca,
        }

    def run(self, account, message, folder, seconds=RUN_SECONDS):
        """The finished process, its two outputs as one text in `shown`."""
        arguments, text = self.command(account, message, folder)
        process = subprocess.run(
            [str(argument) for argument in arguments],
            input=(text or "").encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=self.environment(account, message, folder),
            timeout=seconds,
        )
        process.shown = process.stdout.decode("utf-8", "replace")
        return process


def new_folder(name):
    return pathlib.Path(harness.temporary_folder(re.sub(r"\W+", "-", name)))


def program(name, *runner):
    """The command of one of our programs, which read their account and message from the
    environment."""
    return lambda account, message, folder: ([*runner, PROGRAMS / name], None)


def for_each(clients):
    """Makes one test for each client from each method `check_something(self, client)`."""

    def expand(cls):
        for name in [name for name in vars(cls) if name.startswith("check_")]:
            for client in clients:
                setattr(cls, _test_name(name, client), _bound(getattr(cls, name), client))
        return cls

    return expand


def _test_name(method, client):
    words = "".join(c if c.isalnum() else "_" for c in client.name.lower())
    return f"test_{words}_{method.removeprefix('check_')}"


def _bound(method, client):
    def test(self):
        client.require(self)
        method(self, client)

    return test


def version_of(client):
    return _first_line(tuple(client.version))


@functools.cache
def _first_line(command):
    result = subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=RUN_SECONDS
    )
    lines = (result.stdout + result.stderr).strip().splitlines()
    return lines[0].strip() if lines else "?"


def note(client, column, text="yes"):
    """One cell of docs/evidence/clients.md. `text` is "yes", or why it is not."""
    if REPORT:
        cell = {"group": client.group, "client": client.name, "version": version_of(client)}
        cell |= {"column": column, "text": text}
        with open(REPORT, "a", encoding="utf-8") as report:
            report.write(json.dumps(cell, ensure_ascii=False) + "\n")


def note_encryption(client, encryption):
    """Notes that everything came over this encryption; and for the other kind, that the client does
    not have it."""
    _note_yes(client, encryption, ("verification", "TLS 1.3", "several recipients"))
    if "tls" not in client.encryptions:
        note(client, "tls", "has no TLS from the first byte")


def each_mechanism(client):
    """(mechanism, the only one to offer for it, or nothing) for those that the client has; the
    others are noted."""
    for mechanism in MECHANISMS:
        if mechanism in client.mechanisms_missing:
            note(client, mechanism, client.mechanisms_missing[mechanism])
        else:
            yield mechanism, mechanism if mechanism in client.mechanisms_by_offer else ""


def note_mechanism(client, mechanism):
    reason = client.mechanisms_by_offer.get(mechanism)
    note(client, mechanism, f"yes: {reason}" if reason else "yes")


def note_leaves(client, seen):
    """The cells of the leaves of a message (message.check): seen, or what the client lacks."""
    for leaf, limits in message.LEAVES.items():
        if leaf in client.limits:
            note(client, leaf, client.limits[leaf])
        elif leaf in seen:
            _note_yes(client, leaf, limits)


def _note_yes(client, column, limits):
    """A yes, with the client's limits that concern it."""
    reasons = [f"{what}: {client.limits[what]}" for what in limits if what in client.limits]
    note(client, column, ": ".join(["yes", "; ".join(reasons)]) if reasons else "yes")


class ClientTestCase(harness.RelayTestCase):
    """One relay for all clients; its limits stop none of them."""

    def succeed(self, process):
        self.assertEqual(process.returncode, 0, process.shown)
        return process
