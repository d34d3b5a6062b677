"""What a service manager does for the relay: it passes listening sockets and receives the relay's
state. Also the clients that must not notice when it replaces the relay by another one."""

import contextlib
import ctypes
import os
import pathlib
import smtplib
import socket
import ssl
import sys
import threading
import time

import harness

# Acts as the relay's parent: puts the sockets at descriptors 3, 4…, sets the variables of
# sd_listen_fds(3), and becomes the relay.
_ACTIVATE = """
import os, sys
count = int(sys.argv[1])
for index in range(count):
    os.dup2(int(sys.argv[3 + index]), 100 + index)
for index in range(count):
    os.dup2(100 + index, 3 + index)
    os.close(100 + index)
os.environ.update(LISTEN_FDS=str(count), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=sys.argv[2])
command = sys.argv[3 + count:]
os.execv(command[0], command)
"""


def listen(port=0):
    """A listening socket as a .socket unit makes it."""
    made = socket.create_server(("127.0.0.1", port), backlog=4_096)
    os.set_inheritable(made.fileno(), True)
    return made


class Notifications:
    """The socket to which the relay reports its state."""

    def __init__(self):
        self.path = str(pathlib.Path(harness.temporary_folder("notify")) / "socket")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(20)

    def next(self):
        """One datagram as a dictionary."""
        lines = self.socket.recv(4_096).decode().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def close(self):
        self.socket.close()


class Service(harness.Process):
    """A relay that is given its sockets: (socket, name) each."""

    def __init__(self, sockets, api_port, *arguments, environment=None):
        folder = harness.temporary_folder("service")
        self.certificate = os.path.join(folder, "certificate.pem")
        key = harness.make_certificate(folder, self.certificate)
        numbers = [str(made.fileno()) for made, _ in sockets]
        wrapper = [sys.executable, "-c", _ACTIVATE, str(len(sockets))]
        wrapper += [":".join(name for _, name in sockets), *numbers] if sockets else [""]
        super().__init__(
            "service",
            ["--hostname", "localhost", "--tls-cert", self.certificate, "--tls-key", key]
            + ["--api-url", f"http://127.0.0.1:{api_port}", "--log-format", "json"]
            + ["--log-level", "trace", *harness.RELAY_ARGUMENTS, *arguments],
            environment=environment, wrapper=wrapper, descriptors=[int(n) for n in numbers])
        self.wait_for_event("ready")

    def wait_for_event(self, name):
        def find():
            if self.process.poll() is not None:
                raise AssertionError(f"the relay ended early:\n{self.log.decode()}")
            return [event for event in self.events() if event["event"] == name]

        return harness.wait_until(find, harness.READY_SECONDS, f"event {name}")[-1]


@contextlib.contextmanager
def halted(thread):
    """Stops one thread of another process meanwhile (ptrace(2))."""
    seize, interrupt, detach, wait_all = 0x4206, 0x4207, 17, 0x40000000
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long

    def ptrace(request):
        if libc.ptrace(request, thread, None, None) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    ptrace(seize)
    ptrace(interrupt)
    os.waitpid(thread, wait_all)
    try:
        yield
    finally:
        ptrace(detach)


def thread_states(process):
    """The letters of proc(5) for a process's threads."""
    return [
        path.read_text().rsplit(")", 1)[1].split()[0]
        for path in pathlib.Path(f"/proc/{process.pid}/task").glob("*/stat")]


def kernel_rows(connection):
    """What the kernel knows of a connection over IPv4: both ends as far as it has them, and the listening
    socket with the length of its queue (rx); the rows of proc_net_tcp(5) up to the inode."""
    ports = [f":{address[1]:04X}" for address in (connection.getsockname(), connection.getpeername())]
    for row in pathlib.Path("/proc/self/net/tcp").read_text().splitlines():
        fields = row.split()
        ends = [field[-5:] for field in fields[1:3]]
        if sorted(ends) == sorted(ports) or (ends[0] == ports[1] and fields[3] == "0A"):
            yield " ".join(fields[1:10])


class Load(threading.Thread):
    """One client after another, until stopped."""

    def __init__(self, port, tls_port, name, host="127.0.0.1"):
        super().__init__(daemon=True)
        self.host = host
        self.ports = [(port, False), (tls_port, True)]
        self.name_of_it = name
        self.key = harness.new_key()
        self.is_stopped = threading.Event()
        self.accepted, self.errors, self.seconds = [], [], []
        # Of the latest message's client; each error shows it.
        self.state = ""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.context = context

    def run(self):
        number = 0
        while not self.is_stopped.is_set():
            number += 1
            subject = f"{self.name_of_it}-{number}"
            start = time.monotonic()
            try:
                self.deliver(subject, *self.ports[number % 2])
                self.accepted.append(subject)
                self.seconds.append(time.monotonic() - start)
            except (OSError, smtplib.SMTPException) as error:
                self.errors.append((subject, repr(error), self.state))

    def deliver(self, subject, port, is_tls):
        """One try to get a message accepted."""
        self.send(subject, port, is_tls)

    def send(self, subject, port, is_tls):
        if is_tls:
            client = _TLSClient(self, port, context=self.context)
        else:
            client = _Client(self, port)
            client.starttls(context=self.context)
        try:
            client.login("postscale", self.key)
            client.sendmail(
                "a@yourdomain.com", "b@example.com",
                f"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: {subject}\r\n\r\nx\r\n")
        finally:
            client.close()


class _Told:
    """A client that keeps its load informed of its port and of what it has sent last."""

    def __init__(self, load, port, **arguments):
        self.load = load
        super().__init__(load.host, port, "client.test", timeout=harness.CLIENT_SECONDS, **arguments)

    def _get_socket(self, host, port, timeout):
        made = super()._get_socket(host, port, timeout)
        self.load.state = f"from port {made.getsockname()[1]}, before a command"
        return made

    def close(self):
        # smtplib closes a connection on which it has waited in vain.
        if isinstance(sys.exc_info()[1], TimeoutError) and self.sock:
            self.load.state += "; " + " | ".join(kernel_rows(self.sock))
        super().close()

    def putcmd(self, cmd, args=""):
        # What is no verb may be an answer to AUTH.
        verb = cmd if cmd.isalpha() and len(cmd) <= 8 else "a line"
        self.load.state = f"{self.load.state.split(',')[0]}, after {verb}"
        super().putcmd(cmd, args)


class _Client(_Told, smtplib.SMTP):
    pass


class _TLSClient(_Told, smtplib.SMTP_SSL):
    pass
