"""The operators' pages against the program: flags, variables, limits, log events, links.

docs/configure.md is the one place for defaults and limits (test_manual.py holds its table of flags);
what the other pages name must exist.
"""

import base64
import json
import re
import resource
import socket
import subprocess
import unittest

import harness

CONFIGURE = harness.ROOT / "docs/configure.md"
# The operators' pages. A flag that they name belongs to this program, unless it is one of FLAGS_OF_OTHERS.
OPERATORS = ["README.md", *(f"docs/{name}.md" for name in (
    "configure", "fleet", "install", "metrics", "migrate", "mime", "operating", "sandbox",
    "troubleshoot", "tune"))]
FLAGS_OF_OTHERS = {
    "certbot": {"deploy-hook", "dry-run", "standalone"},
    "swaks": {"auth", "auth-password", "auth-user", "from", "server", "tls", "to"},
    "systemctl": {"now"},
}


def flags_of(*names):
    """{name: default} of the flags of these subcommands."""
    dump = subprocess.run(
        [harness.BINARY, "--experimental-dump-help"], capture_output=True, check=True).stdout
    return {
        name["name"]: argument.get("defaultValue")
        for command in json.loads(dump)["command"]["subcommands"] if command["commandName"] in names
        for argument in command["arguments"] for name in argument.get("names", [])
        if name["kind"] == "long"}


def sources():
    """The text of every Swift source of the program."""
    return [path.read_text() for path in sorted((harness.ROOT / "Sources").rglob("*.swift"))]


def section(title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", CONFIGURE.read_text(), re.M | re.S)[1]


def anchors(page):
    """The fragments that GitHub gives to the headings of a page."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.M)}


class Pages(unittest.TestCase):
    def test_the_sessions_of_tune_md_are_those_of_the_program(self):
        rows = re.findall(r"^\| ([\d,]+) \| ([\d,]+) \|$", (harness.ROOT / "docs/tune.md").read_text(), re.M)
        self.assertEqual(len(rows), 3)
        for limit, sessions in (tuple(int(cell.replace(",", "")) for cell in row) for row in rows):
            if limit > resource.getrlimit(resource.RLIMIT_NOFILE)[1]:
                continue
            flags = "--loops 1 --admin 9587 --tls-cert none --tls-key none --api-url http://127.0.0.1:1"
            shown = subprocess.run(
                ["sh", "-c", f'ulimit -n {limit}; exec "$0" check {flags}', harness.BINARY],
                capture_output=True, text=True, timeout=60).stdout
            self.assertIn(f"descriptors  {limit}, which is {sessions} sessions", shown)

    def test_every_flag_that_a_page_names_exists(self):
        known = set(flags_of("run", "check", "sandbox", "explain")).union(*FLAGS_OF_OTHERS.values())
        for name in OPERATORS:
            text = (harness.ROOT / name).read_text()
            named = set(re.findall(r"(?<![\w-])--([a-z][a-z-]*[a-z])", text))
            with self.subTest(name):
                self.assertGreater(len(named), 0)
                self.assertEqual(named - known, set())

    def test_the_flags_of_the_sandbox_alone_are_those_of_the_relay(self):
        within, alone, text = flags_of("run"), flags_of("sandbox"), section("Sandbox")
        for flag in ("listen", "store", "slow", "chaos"):
            self.assertEqual(alone.pop(flag), within[f"sandbox-{flag}"])
            self.assertIn(f"`--{flag}`", text)
        for flag in ("tls-cert", "tls-key"):
            alone.pop(flag)
            self.assertIn(f"`--{flag}`", text)
        # These mean the same in every command.
        self.assertEqual(set(alone), {"hostname", "log-format", "log-level", "version", "help"})

    def test_every_environment_variable_is_in_configure_md(self):
        # Fields of the journal's entries, not variables.
        fields = {"POSTSCALE_EVENT"}
        read = {name for text in sources() for name in re.findall(r'"(POSTSCALE_[A-Z_]*[A-Z])"', text)}
        named = set(re.findall(r"POSTSCALE_[A-Z_]*[A-Z]", section("Environment variables")))
        self.assertGreater(len(named), 5)
        self.assertEqual(named, read - fields)

    def test_every_event_of_the_log_is_in_operating_md(self):
        logged = {
            event for text in sources() for event in re.findall(
                r'\.(?:trace|debug|info|notice|warning|error|critical),\s*"([a-z][a-z-]+)"', text)}
        rows = re.findall(
            r"^\| (`.*?) \| [^|]*(?:debug|info|notice|warning|error)",
            (harness.ROOT / "docs/operating.md").read_text(), re.M)
        listed = {event for row in rows for event in re.findall(r"`([a-z-]+)`", row)}
        self.assertGreater(len(logged), 30)
        self.assertEqual(logged, listed)

    def test_every_link_leads_somewhere(self):
        pages = [*harness.ROOT.glob("*.md"), *harness.ROOT.glob("docs/**/*.md")]
        self.assertGreater(len(pages), 15)
        for page in pages:
            for target in re.findall(r"\]\(([^()\s]+)\)", page.read_text()):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, fragment = target.partition("#")
                with self.subTest(page.name, target=target):
                    file = (page.parent / path).resolve() if path else page
                    self.assertTrue(file.exists())
                    if fragment:
                        self.assertIn(fragment, anchors(file))


class Limits(harness.RelayTestCase):
    """Limits that no flag changes: the size on the page is accepted, one byte more is not."""

    @classmethod
    def setUpClass(cls):
        cls.admin_port = harness.free_port()
        cls.arguments = ("--admin", str(cls.admin_port))
        super().setUpClass()

    def limit(self, what):
        """The bytes and the reply of a row."""
        row = re.search(
            rf"^\| {what} \| ([\d,]+) bytes[^|]* \| `([^`]*)`", section("Limits without a flag"), re.M)
        return int(row[1].replace(",", "")), row[2]

    def greeted(self):
        client = self.relay.raw()
        self.addCleanup(client.socket.close)
        self.assertTrue(client.reply().startswith("220 "))
        self.assertTrue(client.ask(b"EHLO client.test").startswith("250"))
        return client

    def test_a_command_line(self):
        most, reply = self.limit("a command line")
        client = self.greeted()
        end = len(b"\r\n")
        self.assertEqual(client.ask(b"NOOP ".ljust(most - end, b"x")), "250 Ok")
        self.assertEqual(client.ask(b"NOOP ".ljust(most + 1 - end, b"x")), reply)

    def test_an_auth_line(self):
        most, reply = self.limit("an AUTH line")
        client = self.greeted()
        end = len(b"\r\n")
        self.assertEqual(client.ask(b"AUTH PLAIN ".ljust(most - end, b"*")), "501 Cannot decode response")
        self.assertEqual(client.ask(b"AUTH PLAIN ".ljust(most + 1 - end, b"*")), reply)

    def test_an_auth_response(self):
        most, reply = self.limit("a response of AUTH")
        client = self.greeted()
        for size, answer in ((most, "501 Cannot decode response"), (most + 1, reply)):
            self.assertTrue(client.ask(b"AUTH PLAIN").startswith("334"))
            self.assertEqual(client.ask(b"*" * (size - len(b"\r\n"))), answer)

    def test_an_api_key(self):
        most, reply = self.limit("an API key")
        for size, answer in ((most, "235"), (most + 1, reply)):
            key = harness.secret_key(harness.new_key().ljust(size, "k"))
            client = self.greeted()
            response = base64.b64encode(f"\0postscale\0{key}".encode())
            self.assertTrue(client.ask(b"AUTH PLAIN " + response).startswith(f"{answer} "))

    def test_a_request_to_the_admin_listener(self):
        most, status = self.limit("a request to the admin listener")
        begin, end = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ", b"\r\n\r\n"
        for size, answer in ((most, "200"), (most + 1, status)):
            with socket.create_connection(("127.0.0.1", self.admin_port), timeout=20) as client:
                client.sendall(begin.ljust(size - len(end), b"x") + end)
                self.assertEqual(client.recv(4_096).split()[1].decode(), answer)


if __name__ == "__main__":
    unittest.main()
