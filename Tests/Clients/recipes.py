"""The recipes of docs/recipes.md as programs that run: each with the lines that the page shows.

A recipe of Debian's runs in a root of its own, like a sendmail (mta.py): `recipes/NAME.sh` starts the
program and makes it send once. One of PyPI's is `recipes/NAME.py` in a virtual environment. Both find
the page's blocks as files of their names, with the host, the port and the key of a relay in them.
"""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess

import mta
import support
from support import harness

PAGE = harness.ROOT / "docs/recipes.md"
SCRIPTS = support.HERE / "recipes"
PYTHON = harness.ROOT / ".build/recipes/bin/python"
RECIPIENT = "alerts@example.com"
RUN_SECONDS = 300

BLOCKS = {
    name: text for name, text in re.findall(
        r"^<!-- recipe: (\S+) [^\n]*-->\n```\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
}  # fmt: skip


@dataclasses.dataclass
class Recipe:
    name: str
    # Packages of Debian, the program's own first; none for one of PyPI.
    packages: tuple = ()
    # Of PyPI.
    distribution: str = ""
    # The blocks of the page that it needs; its own by default.
    blocks: tuple = ()
    # What it shows in place of the relay's words, by what is refused; "" for nothing.
    instead: dict = dataclasses.field(default_factory=dict)
    # Why it logs in to a server whose certificate it cannot trust.
    verifies_not: str = ""
    # How long it takes, for what it has to wait for.
    seconds: int = 0
    group: str = "Recipes"

    def missing(self):
        """Why it cannot be run; None when it can."""
        if self.packages:
            if not mta.packages(list(self.packages)):
                return "cannot be fetched"
            return None if mta.can_enter() else "needs a mount namespace, which is not allowed here"
        return None if (PYTHON.parents[1] / "installed").exists() else "is not installed"

    def require(self, case):
        reason = self.missing()
        if reason and support.OPTIONAL:
            case.skipTest(f"{self.name} {reason}")
        case.assertIsNone(reason, self.name)

    @property
    def version(self):
        if self.packages:
            return ["dpkg-deb", "-f", mta.packages([self.packages[0]])[0], "Version"]
        program = f"from importlib.metadata import version; print(version('{self.distribution}'))"
        return [str(PYTHON), "-c", program]

    def run(self, relay, recipient, key, trusted):
        """What a person could read of one run. `trusted` is the file of the only authority that it may
        trust besides those of the system; None for no other."""
        folder = support.new_folder(self.name)
        for name in self.blocks or (self.name,):
            (folder / name).write_text(_filled(BLOCKS[name], relay, recipient, key))
        for script in SCRIPTS.glob(f"{self.name}.*"):
            (folder / f"recipe{script.suffix}").write_text(
                _filled(script.read_text(), relay, recipient, key))
        return (self.in_root if self.packages else self.in_environment)(folder, trusted)

    def in_root(self, folder, trusted):
        shutil.copy(SCRIPTS / "drive.sh", folder)
        (folder / "ca.pem").write_bytes(pathlib.Path(trusted).read_bytes() if trusted else b"")
        # As the only process of its namespace it takes all others with it when it ends.
        run = subprocess.run(
            ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
            + ["sh", "-c", mta.ENTER, "sh", str(folder), *mta.packages(list(self.packages))],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=RUN_SECONDS,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        shown = folder / "shown"
        text = shown.read_text(errors="replace") if shown.exists() else ""
        return " ".join((text + run.stderr.decode(errors="replace")).split())

    def in_environment(self, folder, trusted):
        run = subprocess.run(
            [PYTHON, folder / "recipe.py"], cwd=folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=RUN_SECONDS,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8",
                 **({"SSL_CERT_FILE": trusted} if trusted else {})},
        )  # fmt: skip
        return " ".join(run.stdout.decode(errors="replace").split())


def _filled(text, relay, recipient, key):
    """The page's lines with this relay's host and ports."""
    for placeholder, value in (
        ("smtp.postscale.io", "localhost"), ("YOUR_API_KEY", key), (RECIPIENT, recipient),
        ("ADMIN_PORT", str(harness.free_port()) if "ADMIN_PORT" in text else ""),
    ):  # fmt: skip
        text = text.replace(placeholder, value)
    text = re.sub(r"\b587\b", str(relay.ports[0]), text)
    return re.sub(r"\b465\b", str(relay.tls_port), text)


_MSMTP = "msmtp"
_STARTTLS = "hands no context to smtplib's starttls(), so nothing is verified"
RECIPES = [
    Recipe("monit", ("monit",), seconds=15),
    Recipe(
        "alertmanager", ("prometheus-alertmanager",), seconds=15,
        # It closes the message and does not look at the answer.
        instead={"suppressed": ""},
    ),
    Recipe("cron", ("cron", "cron-daemon-common"), blocks=(_MSMTP, "crontab"), seconds=60),
    Recipe("smartd", ("smartmontools",), blocks=(_MSMTP, "smartd-mail")),
    Recipe(
        "mailutils",
        ("mailutils", "mailutils-common", "libmailutils9", "libgc1", "guile-3.0-libs", "mysql-common",
         "mariadb-common", "libmariadb3"),
        instead={"suppressed": "Operation rejected by remote party"},
        verifies_not="mailutils 3.15 verifies nothing",
    ),
    Recipe(
        "emacs", ("emacs-nox", "emacs-el", "emacs-common", "emacs-bin-common", "libgccjit0"),
        blocks=("authinfo", "emacs"),
    ),
    Recipe(
        "alpine", ("alpine", "mlock"), seconds=15,
        instead={"refused": "Retrying - HOST"},
    ),
    Recipe(
        "tcllib", ("tcllib", "tcl-tls", "tcl8.6", "tcl", "libtcl8.6"),
        instead=dict.fromkeys(("suppressed", "refused"), "command returned bad code: 7"),
        verifies_not="tls 1.7 verifies only when it is told an authority",
    ),
    Recipe("roundcube", ("roundcube-core",)),
    # The programs whose library sends, with their settings; the programs themselves are no packages.
    Recipe("nextcloud", ("php-symfony-mailer",)),
    Recipe("gitlab", ("ruby-actionmailer",)),
    Recipe("luasocket", ("lua-socket", "lua5.4", "lua-sec")),
    Recipe(
        "apprise", distribution="apprise",
        instead={
            "suppressed": 'Sending email to "suppressed@example.com" failed.',
            "refused": "Connection error while submitting email",
        },
    ),
    Recipe("django", distribution="Django"),
    Recipe("flask-mail", distribution="Flask-Mail", verifies_not=_STARTTLS),
    Recipe("fastapi-mail", distribution="fastapi-mail"),
    Recipe("trac", distribution="Trac", verifies_not=_STARTTLS),
    Recipe("buildbot", distribution="buildbot"),
]
