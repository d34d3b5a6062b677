"""A Debian whose first process is systemd: a folder, booted by systemd-nspawn in this network namespace.

The service manager is the real one, with control groups of its own (cgroup v2), so units run as on a
host: sockets, notifications, watchdog, journal, and what the unit forbids. What is not real is the
kernel's own boot.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import time

import debian

# What a server has, and what the tests use on it.
PACKAGES = [
    "systemd", "systemd-sysv", "dbus", "swaks", "libnet-ssleay-perl", "libio-socket-ssl-perl", "openssl",
    "curl", "man-db", "python3"]
BOOT_SECONDS = 60
ROOT = debian.FOLDER / "debian-systemd"


class NoMachine(Exception):
    """This host cannot boot one; the text says why."""


def base():
    """A Debian with `PACKAGES`, made once and kept."""
    folder = debian.FOLDER / "debian-systemd-base"
    stamp = folder / "etc/test-packages"
    if not stamp.exists() or stamp.read_text().split() != PACKAGES:
        debian.copy(debian.base(), folder)
        debian.inside(folder, "apt-get", "update", "-qq")
        debian.inside(
            folder, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES)
        stamp.write_text("\n".join(PACKAGES))
    return folder


def prepare(*files):
    """A copy of `base` to boot: `files` in /root, the first of them the package, and what that needs
    in apt's cache, so that it can be installed without a network."""
    debian.copy(base(), ROOT)
    for file in files:
        shutil.copy(file, ROOT / "root")
    debian.inside(ROOT, "apt-get", "update", "-qq")
    debian.inside(
        ROOT, "apt-get", "install", "-y", "-qq", "--download-only", f"/root/{files[0].name}")


class Machine:
    """One boot of the prepared copy."""

    root = ROOT

    def __init__(self):
        self.log = debian.FOLDER / "boot.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["systemd-nspawn", "--boot", "--quiet", "--register=no", "--keep-unit",
                 f"--machine=postscale-{os.getpid()}", "--console=pipe", f"--directory={self.root}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"})
        self.first = None
        try:
            self.await_boot()
        except BaseException:
            self.close()
            raise

    def await_boot(self):
        end = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            self.first = self.first or self.find_first()
            if self.first:
                state = self.run("systemctl", "is-system-running", check=False)
                if state.stdout.strip() in ("running", "degraded"):
                    return
            time.sleep(0.2)
        text = self.log.read_text(errors="replace").strip()
        raise NoMachine(f"systemd does not boot here: {text[-300:] or 'it says nothing'}")

    def find_first(self):
        """The machine's process 1: the only child of systemd-nspawn."""
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in children:
            if os.path.basename(os.readlink(f"/proc/{child}/exe")) == "systemd":
                return child
        return None

    def run(self, *command, check=True, **more):
        """Runs a command on the machine, as root, in /."""
        result = subprocess.run(
            ["nsenter", "--target", self.first, "--mount", "--uts", "--ipc", "--pid", "--root",
             "--wd", "env", "-i",
             *(f"{name}={value}" for name, value in {**debian.ENVIRONMENT, **more}.items()),
             *command], capture_output=True, text=True)
        if check and result.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: {result.stdout}{result.stderr}")
        return result

    def shell(self, script, check=True):
        return self.run("bash", "-c", script, check=check)

    def show(self, unit, name):
        """One property of a unit."""
        return self.run("systemctl", "show", "-p", name, "--value", unit).stdout.strip()

    def close(self):
        if self.first and self.process.poll() is None:
            self.run("systemctl", "poweroff", check=False)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        remove_groups()


def remove_groups():
    """Removes the control groups that systemd-nspawn leaves, if they are empty."""
    mounts = [line.split() for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    for mount in (pathlib.Path(fields[1]) for fields in mounts if fields[2] == "cgroup2"):
        for name in ("payload", "supervisor"):
            subprocess.run(
                ["find", mount / name, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"],
                stderr=subprocess.DEVNULL)
