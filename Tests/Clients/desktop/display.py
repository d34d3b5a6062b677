"""A desk for programs with windows: a display that nobody sees, a session bus, a home folder.

Everything runs in its own process namespace, so that `end` also ends what a program leaves running
(helpers that the bus has started, the display itself). The network is the machine's.
"""

import os
import pathlib
import select
import signal
import subprocess

import support

WIDTH, HEIGHT = 1100, 760
START_SECONDS = 30
END_SECONDS = 10
# The display picks a free number and writes it to descriptor 1; the bus writes its address there
# too. Both remove their sockets and locks when they are asked to end.
SESSION = """
exec 2>"$HOME/session.log"
[ -z "$2" ] || mount --bind "$2" /etc/ssl/certs/ca-certificates.crt || exit
Xvfb -displayfd 1 -screen 0 "$1" -nolisten tcp & display=$!
dbus-daemon --session --nofork --nopidfile --print-address=1 \
  --address=unix:path="$XDG_RUNTIME_DIR/bus" & bus=$!
trap 'kill $display $bus; wait $display; exit 0' TERM
wait $bus
"""


class Desk:
    """Lives until `end`. `home` is the home folder of the programs; `ca`, if given, is the only
    authority that the system trusts, as far as they can see."""

    def __init__(self, name, ca=""):
        self.home = support.new_folder(name)
        self.environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "XDG_RUNTIME_DIR": str(self.home / "run"),
            "TMPDIR": str(self.home / "tmp"),
            "GDK_BACKEND": "x11",
            "GSETTINGS_BACKEND": "memory",
        }
        for folder in ("run", "tmp"):
            (self.home / folder).mkdir(mode=0o700)
        self.programs = []
        self.session = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
            + ["sh", "-c", SESSION, "sh", f"{WIDTH}x{HEIGHT}x24", str(ca)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=self.environment,
        )
        self.first = None
        for _ in range(2):
            line = self._line()
            if line.isdigit():
                self.environment["DISPLAY"] = f":{line}"
            else:
                self.environment["DBUS_SESSION_BUS_ADDRESS"] = line
        children = f"/proc/{self.session.pid}/task/{self.session.pid}/children"
        self.first = pathlib.Path(children).read_text().split()[0]

    def _line(self):
        """One line of the session, read byte by byte so that no byte of the next line is taken."""
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self.session.stdout], [], [], START_SECONDS)
            byte = os.read(self.session.stdout.fileno(), 1) if ready else b""
            if not byte:
                self.end()
                log = (self.home / "session.log").read_text(errors="replace")
                raise AssertionError(f"no display and bus: {log}")
            line += byte
        return line.decode().strip()

    def _inside(self, command):
        enter = ["nsenter", "--target", self.first, "--pid", "--mount", "--wd=" + str(self.home)]
        return [*enter, *[str(argument) for argument in command]]

    def start(self, command, environment=None):
        """Starts a program, whose output goes to `log`."""
        with open(self.home / "log", "ab") as log:
            self.programs.append(
                subprocess.Popen(
                    self._inside(command),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**self.environment, **(environment or {})},
                )
            )
        return self.programs[-1]

    def converse(self, command):
        """Starts a program that is asked on its standard input and answers on its output."""
        with open(self.home / "log", "ab") as log:
            return subprocess.Popen(
                self._inside(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment,
            )

    def run(self, command, seconds=support.RUN_SECONDS):
        """The output of a program that ends by itself."""
        result = subprocess.run(
            self._inside(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment,
            timeout=seconds,
        )
        if result.returncode != 0:
            raise AssertionError(f"{command[0]}: {result.stdout.decode(errors='replace')}")
        return result.stdout.decode(errors="replace")

    @property
    def log(self):
        path = self.home / "log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def screenshot(self, path):
        """The whole display as a PNG file."""
        self.run(["import", "-window", "root", "-strip", path])

    def end(self):
        """Ends every process of the session."""
        try:
            if self.first:
                os.kill(int(self.first), signal.SIGTERM)
            self.session.wait(END_SECONDS)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            self.session.kill()
            self.session.wait()
        self.session.stdout.close()
        for program in self.programs:
            program.wait()
