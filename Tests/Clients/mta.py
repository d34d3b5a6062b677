"""Runs a mail transfer agent of Debian's in a root folder of its own.

The packages of these programs exclude one another and need a system of their own: /etc/postfix, a
spool, users. Each run unpacks its packages over a private view of this system (an overlay in a
mount namespace, which ends with the namespace), in a process namespace that ends every daemon when
the run ends. The network is the machine's: the relay is at localhost.
"""

import glob
import os
import pathlib
import shutil
import subprocess

import support
from support import harness

CACHE = pathlib.Path(os.environ.get("CLIENTS_CACHE", harness.ROOT / ".build/clients"))
SCRIPTS = support.HERE / "mtas"
# Builds the root, then runs the driver in it. $1: folder of the exchange; the rest: packages.
ENTER = """
set -e
exchange=$1; shift
# Daemons that are not root read the certificate there.
chmod 755 "$exchange"
work=$exchange/root
hostname relay.yourdomain.com
mkdir -p "$work"; mount -t tmpfs -o mode=755 root "$work"
mkdir "$work/upper" "$work/work" "$work/merged"
mount -t overlay overlay \
  -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/merged"
# Unlike dpkg -x this leaves /lib and /bin the links that they are.
for package in "$@"; do
  dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$work/merged"
done
mount -t proc proc "$work/merged/proc"
# Devices of its own, so that /dev/log is its own too.
mount -t tmpfs -o mode=755 dev "$work/merged/dev"
for device in null zero full random urandom tty; do
  touch "$work/merged/dev/$device"
  mount --bind "/dev/$device" "$work/merged/dev/$device"
done
mkdir "$work/merged/dev/shm"
chmod 1777 "$work/merged/dev/shm"
ln -s /proc/self/fd "$work/merged/dev/fd"
mkdir -p "$work/merged/exchange" "$work/merged/run"
mount --bind "$exchange" "$work/merged/exchange"
exec chroot "$work/merged" /bin/sh /exchange/drive.sh
"""


def packages(names):
    """The .deb files of packages, fetched through apt if they are not in the cache yet."""
    CACHE.mkdir(parents=True, exist_ok=True)
    for attempt in range(2):
        missing = [name for name in names if not glob.glob(f"{CACHE}/{name}_*.deb")]
        if not missing:
            return [glob.glob(f"{CACHE}/{name}_*.deb")[0] for name in names]
        if attempt == 1 or shutil.which("apt-get") is None:
            return None
        for command in (["apt-get", "update", "-qq"], ["apt-get", "download", "-q", *missing]):
            subprocess.run(command, cwd=CACHE, capture_output=True, timeout=240)
    return None


def can_enter():
    """Whether this machine allows such a root."""
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "probe", "/mnt"]
    return subprocess.run(command, capture_output=True).returncode == 0


class Run:
    """A program, from its configuration until `end`. `exchange` holds the messages (*.eml, all are
    submitted in the order of their names) and the program's output: `log`, and NAME.out,
    NAME.status for each message."""

    def __init__(self, name, files, account, messages):
        self.exchange, self.account = support.new_folder(name), account
        for stem, raw in messages.items():
            (self.exchange / f"{stem}.eml").write_bytes(raw)
        for script in ("drive.sh", f"{name}.sh"):
            shutil.copy(SCRIPTS / script, self.exchange / script)
        shutil.copy(account.ca, self.exchange / "ca.pem")
        with open(self.exchange / "log", "wb") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
                + ["sh", "-c", ENTER, "sh", str(self.exchange), *files],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "MTA": name,
                     "LC_ALL": "C.UTF-8", "SMTP_PORT": str(account.port),
                     "SMTP_TLS": account.encryption, "SMTP_USER": account.user,
                     "SMTP_KEY": account.key, "SMTP_AUTH": account.mechanism},
            )  # fmt: skip

    def submitted(self, stem, seconds=60):
        """(status, what was shown) of handing over one message."""
        status = self.exchange / f"{stem}.status"
        harness.wait_until(
            lambda: (status.exists() and status.read_text().strip())
            or self.process.poll() is not None,
            seconds, f"submitting {stem}",
        )  # fmt: skip
        if not status.exists():
            raise AssertionError(f"ended before it was given {stem}")
        text = (self.exchange / f"{stem}.out").read_text(errors="replace")
        return int(status.read_text()), text

    @property
    def log(self):
        return (self.exchange / "log").read_text(errors="replace")[-6000:]

    def shown(self):
        """{where: text} of what a person can read about what happened to a message."""
        def read(*names):
            paths = [self.exchange / name for name in names]
            return "\n".join(p.read_text(errors="replace") for p in paths if p.exists())

        return {
            "at once": read(*[path.name for path in self.exchange.glob("*.out")]),
            "bounce": read("mailbox"),
            "queue": read("queue", "log", "maillog", "syslog"),
        }

    def end(self):
        """Ends the program and everything that it started."""
        self.process.kill()
        self.process.wait()
