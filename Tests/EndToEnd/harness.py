"""Starts the built program and talks to it: what every end-to-end test shares.

The program is $RELAY_BINARY, by default .build/release/postscale-relay; every relay gets
$RELAY_ARGUMENTS besides its own (`--backend io_uring`). With $RELAY_API_HTTP=2 relays speak HTTP/2 to
the sandbox also where that has no TLS; over TLS they do by default. Each process has its own free ports on
127.0.0.1, writes its log to its own file at the most verbose level, and is ended by SIGTERM: `stop`
requires exit code 0 and a log without any API key. At the end of a run
test_zz_no_key_in_any_output.py looks for all keys in all outputs once more.
"""

import atexit
import base64
import json
import math
import os
import pathlib
import random
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from clients import RawClient, SandboxClient

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("RELAY_BINARY", str(ROOT / ".build/release/postscale-relay"))
RELAY_ARGUMENTS = os.environ.get("RELAY_ARGUMENTS", "").split()
API_HTTP = os.environ.get("RELAY_API_HTTP", "")
# Tests/Sanitizers/under.sh sets it to the sanitizer that the relay was built with.
SANITIZED = os.environ.get("SANITIZED", "")
READY_SECONDS = 60 if SANITIZED else 10
STOP_SECONDS = 45
# How long a client waits for one step, such as sending 500 MB at once.
CLIENT_SECONDS = 300 if SANITIZED else 60
# How long a raw client, or the test beside it, waits for one step.
PATIENCE_SECONDS = 150 if SANITIZED else 30

_ports, _port_blocks = [], []
_sandbox_ports = set()
_keys = set()
_key_count = 0
_outputs = []


def cost_bound(figure):
    """The bound of a memory size or CPU time. Under a sanitizer both are mostly the sanitizer's
    own: then there is no bound, and the test says so."""
    if not SANITIZED:
        return figure
    print(f"a bound of {figure:g} is not judged under a sanitizer ", end="", flush=True)
    return math.inf


def temporary_folder(name):
    """A folder that is removed at the end of the whole run."""
    folder = tempfile.mkdtemp(prefix=f"e2e-{name}-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def free_port():
    """A port that nobody listens on and that no process of any tests on this machine was given. Ports come
    in blocks: while this process lives, an abstract socket (unix(7)) with the number of each of its blocks is
    its own. They are none of those that the kernel gives to outgoing connections (from 32768 on), of which
    a crowd may take the port before the relay does."""
    while True:
        if not _ports:
            block = random.randrange(10_000, 32_700, 100)
            holder = socket.socket(socket.AF_UNIX)
            try:
                holder.bind(f"\0postscale-relay-tests/{block}")
            except OSError:
                holder.close()
                continue
            _port_blocks.append(holder)
            _ports.extend(range(block, block + 100))
        port = _ports.pop()
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def new_key(behaviour="", kind="test"):
    """A key that no other test uses, so that no cached state affects it. It behaves as the magic
    name says (docs/sandbox.md)."""
    global _key_count
    _key_count += 1
    unique = f"e2e{os.getpid()}x{_key_count}"
    key = f"ps_{kind}_" + (f"{behaviour}_{unique}" if behaviour else unique)
    _keys.add(key)
    return key


def secret_key(key):
    """Registers a key that `new_key` did not make and that must not appear in logs."""
    _keys.add(key)
    return key


def forms_of(key):
    """The key as it is, and as base64 shows it, whatever precedes and follows it."""
    forms = [key.encode()]
    for offset in range(3):
        text = base64.b64encode(b"x" * offset + key.encode())
        # The characters at both ends depend on the bytes next to them.
        forms.append(text[(offset * 8 + 5) // 6 : (offset + len(key)) * 8 // 6])
    return forms


def find_keys(output, keys):
    """Those of `keys` that appear in `output`. Keys shorter than any key of a test are not looked
    for, because they would match words of the log."""
    return [key for key in keys if len(key) >= 12 and any(form in output for form in forms_of(key))]


def all_outputs():
    """(path, bytes) of everything that processes of this run have written."""
    return [(path, path.read_bytes()) for path in _outputs if path.exists()]


def all_keys():
    return set(_keys)


def wait_until(condition, seconds=10, what="the condition"):
    """Polls until `condition()` is true and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {seconds} s")
        time.sleep(0.02)


class Process:
    """One run of the program."""

    def __init__(self, name, arguments, environment=None, wrapper=(), descriptors=()):
        self.folder = temporary_folder(name)
        self.log_path = pathlib.Path(self.folder) / "log"
        _outputs.append(self.log_path)
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [*wrapper, os.path.abspath(BINARY) if wrapper else BINARY, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # What it spills goes with the folders of the run.
                env={**os.environ, "STATE_DIRECTORY": self.folder, **(environment or {})},
                pass_fds=descriptors,
            )

    @property
    def log(self):
        return self.log_path.read_bytes()

    def events(self):
        """The JSON lines of the log."""
        lines = self.log.decode("utf-8", "replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def wait_for_port(self, port):
        def is_up():
            if self.process.poll() is not None:
                raise AssertionError(
                    f"ended with {self.process.returncode}: {self.log.decode(errors='replace')}"
                )
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return True
            except OSError:
                return False

        try:
            wait_until(is_up, READY_SECONDS, f"port {port}")
        except AssertionError:
            self.process.kill()
            self.process.wait()
            raise

    def peak_kilobytes(self):
        """The most memory the process has had resident (VmHWM)."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
        raise AssertionError("no VmHWM")

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def kill(self):
        """Ends it like a crash: nothing is flushed, no reply is sent."""
        self.process.kill()
        self.process.wait()
        self.check_log()

    def stop(self):
        """Sends SIGTERM; the exit code must be 0 and the log clean."""
        if self.process.poll() is None:
            self.terminate()
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"still running {STOP_SECONDS} s after SIGTERM")
        log = self.log.decode(errors="replace")
        self.check_log()
        if code != 0:
            raise AssertionError(f"exit code {code}; the log ends with:\n{log[-3000:]}")

    def check_log(self):
        """No key is in the log, neither in the clear nor as SASL carries it."""
        if find_keys(self.log, _keys):
            raise AssertionError(f"an API key is in the log of {self.process.args}")


class Sandbox(Process):
    """The sandbox as a process of its own."""

    def __init__(self, *arguments):
        self.port = free_port()
        self.store = temporary_folder("store")
        super().__init__(
            "sandbox",
            ["sandbox", "--listen", f"127.0.0.1:{self.port}", "--store", self.store]
            + ["--log-format", "json", "--log-level", "trace", *arguments],
        )
        _sandbox_ports.add(self.port)
        self.client = SandboxClient(self.port)  # Speaks plain HTTP only.
        self.wait_for_port(self.port)

    def stored(self):
        """Files in the store's folder."""
        return sorted(path.name for path in pathlib.Path(self.store).iterdir())

    def stored_messages(self):
        """The requests in the store's folder, in no order."""
        return [json.loads(path.read_bytes()) for path in pathlib.Path(self.store).glob("*.json")]


class Relay(Process):
    """A relay with two STARTTLS listeners and one for TLS from the first byte.

    Without `api_port` or `api_url` it has a sandbox inside. `wrapper` is a command that runs it.
    """

    def __init__(self, *arguments, api_port=None, api_url=None, wrapper=()):
        self.ports = [free_port(), free_port()]
        self.tls_port = free_port()
        self.store = temporary_folder("store")
        self.files = temporary_folder("files")
        self.certificate = os.path.join(self.files, "certificate.pem")
        if api_port is not None:
            api_url = f"http://127.0.0.1:{api_port}"
        if api_url is None:
            self.sandbox_port = free_port()
            api = ["--sandbox", "--sandbox-listen", f"127.0.0.1:{self.sandbox_port}"]
            api += ["--sandbox-store", self.store]
            api += ["--write-certificate", self.certificate]
            _sandbox_ports.add(self.sandbox_port)
        else:
            self.sandbox_port = api_port
            key = make_certificate(self.files, self.certificate)
            api = ["--api-url", api_url]
            api += ["--tls-cert", self.certificate, "--tls-key", key]
        if API_HTTP and self.sandbox_port in _sandbox_ports:
            api += ["--api-http", API_HTTP]
        listen = [f"--listen=127.0.0.1:{port}" for port in self.ports]
        listen.append(f"--listen-tls=127.0.0.1:{self.tls_port}")
        super().__init__(
            "relay",
            ["--hostname", "localhost", *listen, *api]
            + ["--log-format", "json", "--log-level", "trace", *RELAY_ARGUMENTS, *arguments],
            wrapper=wrapper,
        )
        self.sandbox = SandboxClient(self.sandbox_port)
        for port in self.ports + [self.tls_port]:
            self.wait_for_port(port)
        if api_url is None:
            self.wait_for_port(self.sandbox_port)
        if "--admin" in arguments:
            address = arguments[arguments.index("--admin") + 1]
            self.wait_for_port(int(address.rpartition(":")[2]))

    def context(self):
        """Verifies the relay's certificate against `localhost`."""
        return ssl.create_default_context(cafile=self.certificate)

    def connect(self, port=None, timeout=CLIENT_SECONDS):
        """A client after its TLS handshake, not logged in."""
        port = port or self.ports[0]
        if port == self.tls_port:
            return smtplib.SMTP_SSL(
                "localhost", port, "client.test", timeout=timeout, context=self.context()
            )
        client = smtplib.SMTP("localhost", port, "client.test", timeout=timeout)
        client.starttls(context=self.context())
        return client

    def login(self, key, port=None, timeout=CLIENT_SECONDS):
        """A client that is logged in."""
        client = self.connect(port, timeout)
        client.login("postscale", key)
        return client

    def raw(self, port=None):
        """A socket on the listener for implicit TLS, after the handshake and the greeting."""
        plain = socket.create_connection(
            ("127.0.0.1", port or self.tls_port), timeout=PATIENCE_SECONDS)
        return RawClient(self.context().wrap_socket(plain, server_hostname="localhost"))

    def plain(self):
        """A socket on a STARTTLS listener."""
        return RawClient(
            socket.create_connection(("127.0.0.1", self.ports[0]), timeout=PATIENCE_SECONDS))


def make_certificate(folder, certificate, name="localhost"):
    """A self-signed certificate for `name`; returns the key's file."""
    key = os.path.join(folder, "key.pem")
    names = f"DNS:{name}" + (",IP:127.0.0.1" if name == "localhost" else "")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        + ["-nodes", "-days", "2", "-subj", f"/CN={name}"]
        + ["-addext", f"subjectAltName={names}", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    return key


def signed_certificate(begin, end, name="localhost"):
    """One that an authority has signed, for these days from now: the files of it alone, of it with the
    authority's, and of its key."""
    folder = pathlib.Path(temporary_folder("signed"))

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    def day(offset):
        return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 86_400 * offset))

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=Authority")
    openssl("req", *curve, "-keyout", "key.pem", "-out", "asked.pem", "-subj", f"/CN={name}")
    (folder / "index").touch()
    (folder / "serial").write_text("1000\n")
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=x\n[x]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n"
        "policy=p\nx509_extensions=e\n[p]\ncommonName=supplied\n"
        f"[e]\nsubjectAltName=DNS:{name}\n")
    openssl(
        "ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-in", "asked.pem",
        "-out", "alone.pem", "-startdate", day(begin), "-enddate", day(end), "-notext")
    (folder / "chain.pem").write_text((folder / "alone.pem").read_text() + (folder / "ca.pem").read_text())
    return str(folder / "alone.pem"), str(folder / "chain.pem"), str(folder / "key.pem")


def in_threads(count, work):
    """Runs `work(index)` in so many threads at once; raises the first error."""
    errors = []

    def run(index):
        try:
            work(index)
        except BaseException as error:  # noqa: BLE001 - handed on below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


class RelayTestCase(unittest.TestCase):
    """One relay with a sandbox inside for all tests of a class; the sandbox empty before each."""

    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.relay = Relay(*cls.arguments)
        cls.addClassCleanup(cls.relay.stop)
        cls.sandbox = cls.relay.sandbox

    def setUp(self):
        self.sandbox.clear()
