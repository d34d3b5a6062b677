"""A fresh Debian in a folder, as debootstrap makes it, for the tests of the package.

The folder is made once for each release and kept; each test works on a copy.
"""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".build/package"
PACKAGE = pathlib.Path(os.environ.get("PACKAGE", ""))
ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
    "LC_ALL": "C.UTF-8"}


def mirror():
    """The archive and the release of this machine's own Debian."""
    text = pathlib.Path("/etc/os-release").read_text()
    suite = re.search(r"VERSION_CODENAME=(\w+)", text)[1]
    policy = subprocess.run(["apt-cache", "policy"], capture_output=True, text=True, check=True)
    urls = re.findall(rf"(https?://\S+) {suite}/main", policy.stdout)
    return suite, urls[0] if urls else "http://deb.debian.org/debian"


def inside(folder, *command, check=True, **more):
    """Runs a command with `folder` as its root."""
    return subprocess.run(
        ["chroot", folder, *command], check=check, capture_output=True, text=True,
        env={**ENVIRONMENT, **more})


def base(suite=None):
    """The folder as debootstrap made it.

    suite is the name of a release, by default that of this machine.
    """
    folder = FOLDER / f"debian-base{'-' + suite if suite else ''}"
    if not folder.exists():
        # Under its name only when it is whole.
        begun = folder.with_name(f"{folder.name}.begun")
        remove(begun)
        own, url = mirror()
        subprocess.run(
            ["debootstrap", "--variant=minbase", suite or own, begun, url], check=True,
            stdout=subprocess.DEVNULL)
        unmount(begun)
        begun.rename(folder)
    return folder


def remove(folder):
    """What a killed run has left mounted there is this machine's, and must not be removed with it."""
    unmount(folder)
    if folder.exists():
        subprocess.run(["rm", "-r", "--one-file-system", folder], check=True)


def copy(source, folder):
    """Makes `folder` a copy of `source` that can install packages as this machine does."""
    remove(folder)
    unmount(source)
    subprocess.run(["cp", "-a", "--one-file-system", source, folder], check=True)
    shutil.copy("/etc/resolv.conf", folder / "etc/resolv.conf")
    shutil.rmtree(folder / "etc/apt/apt.conf.d", ignore_errors=True)
    shutil.copytree("/etc/apt/apt.conf.d", folder / "etc/apt/apt.conf.d")


@contextlib.contextmanager
def mounted(folder, *shared):
    """/proc and /dev in `folder`, and these folders of this machine under their own names."""
    mounts = [(["-t", "proc", "proc"], folder / "proc"), (["--rbind", "/dev"], folder / "dev")]
    mounts += [(["--bind", path], folder / str(path).lstrip("/")) for path in shared]
    try:
        for what, place in mounts:
            place.mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "--make-rprivate", *what, place], check=True)
        yield folder
    finally:
        unmount(folder)


def unmount(folder):
    """Takes away everything that is mounted below `folder`."""
    lines = pathlib.Path("/proc/self/mounts").read_text().splitlines()
    for place in sorted((line.split()[1] for line in lines), reverse=True):
        if place.startswith(f"{folder}/"):
            subprocess.run(["umount", "-l", place], check=True)


def newer_package(folder):
    """The same program as a package of a newer version."""
    made = subprocess.run(
        [ROOT / "deploy/debian/build.sh", FOLDER / "root/usr/bin/postscale-relay", "9.9.9",
         FOLDER / "newer"], check=True, capture_output=True, text=True).stdout.strip()
    shutil.copy(made, folder)
    return pathlib.Path(made).name
