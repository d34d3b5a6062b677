"""Thunderbird: accounts by preferences, messages by its command line, the rest by its own windows.

The key is typed into the password prompt, as a person would. The remote control that Thunderbird
ships with (marionette.py) presses buttons and reads dialogs.
"""

import base64
import html
import pathlib
import subprocess
import time

import support
from desktop import display, marionette, program
from support import harness

START_SECONDS = 60
SEND_SECONDS = 45
SECURITY = {"starttls": 2, "tls": 3}
# Authentication methods.
NONE, PASSWORD = 1, 3
# What is on the screen: compose windows, and dialogs with their text and buttons.
LOOK = """
const seen = { composing: 0, locked: false, dialogs: [] };
for (const window of Services.wm.getEnumerator("")) {
  if (window.closed || window.document.readyState != "complete") {
    continue;
  }
  const name = window.location.pathname.split("/").pop();
  if (name == "messengercompose.xhtml") {
    seen.composing += 1;
    const send = window.document.getElementById("button-send");
    seen.locked ||= !window.gLoadingComplete || send.disabled || window.gSendOperationInProgress;
  } else if (name == "commonDialog.xhtml" && window.Dialog?.args && !window.leaving) {
    const args = window.Dialog.args;
    seen.dialogs.push({ kind: args.promptType, title: args.title, text: args.text });
  }
}
return seen;
"""
# Presses a button of the first dialog, if it can be pressed yet; types a password first.
ANSWER = """
const [button, password] = arguments;
for (const window of Services.wm.getEnumerator("")) {
  if (window.location.href.endsWith("/commonDialog.xhtml") && !window.leaving) {
    const pressed = window.document.getElementById("commonDialog").getButton(button);
    if (pressed.disabled) {
      return false;
    }
    window.leaving = true;
    if (password) {
      window.document.getElementById("password1Textbox").value = password;
    }
    window.setTimeout(() => pressed.click(), 0);
    return true;
  }
}
return false;
"""
PRESS_SEND = """
const window = Services.wm.getMostRecentWindow("msgcompose");
window.setTimeout(() => window.document.getElementById("button-send").click(), 0);
"""
# A message that was refused is discarded.
CLOSE = """
const window = Services.wm.getMostRecentWindow("msgcompose");
window?.setTimeout(() => { window.gContentChanged = false; window.close(); }, 0);
"""
# What the Error Console (Ctrl+Shift+J) lists about the sending.
CONSOLE = """
const storage = Cc["@mozilla.org/consoleAPI-storage;1"].getService(Ci.nsIConsoleAPIStorage);
const lines = [];
for (const event of storage.getEvents()) {
  lines.push([event.prefix, ...event.arguments.map(String)].join(" "));
}
return lines.filter(line => line.includes("smtp"));
"""


def preferences(letters, port):
    """An identity with an outgoing server for each letter, and folders on the disk."""
    prefs = {
        "marionette.port": port,
        "app.update.enabled": False,
        "app.donation.eoy.version.viewed": 999,
        "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
        "mail.spotlight.firstRunDone": True,
        "mail.provider.suppress_dialog_on_startup": True,
        "mail.shell.checkDefaultClient": False,
        "mail.accountmanager.accounts": "account1,account2",
        "mail.accountmanager.defaultaccount": "account2",
        "mail.accountmanager.localfoldersserver": "server1",
        "mail.account.account1.server": "server1",
        "mail.server.server1.type": "none",
        "mail.server.server1.hostname": "Local Folders",
        "mail.server.server1.name": "Local Folders",
        "mail.server.server1.userName": "nobody",
        "mail.account.account2.server": "server2",
        "mail.server.server2.type": "pop3",
        "mail.server.server2.hostname": "localhost",
        "mail.server.server2.name": "Mail",
        "mail.server.server2.userName": "sender",
        "mail.server.server2.check_new_mail": False,
        "mail.server.server2.login_at_startup": False,
    }
    names = range(1, len(letters) + 1)
    prefs["mail.account.account2.identities"] = ",".join(f"id{n}" for n in names)
    prefs["mail.smtpservers"] = ",".join(f"smtp{n}" for n in names)
    for n, (account, given) in enumerate(letters, 1):
        prefs |= _identity(n, given) | _outgoing(n, account)
    return prefs


def _outgoing(number, account):
    prefs = {
        "hostname": account.host,
        "port": account.port,
        "try_ssl": SECURITY[account.encryption],
        "authMethod": PASSWORD if account.user else NONE,
        "username": account.user,
    }
    return {f"mail.smtpserver.smtp{number}.{name}": value for name, value in prefs.items()}


def _identity(number, given):
    prefs = {
        "fullName": given["from"]["name"],
        "useremail": given["from"]["address"],
        "reply_to": given["reply_to"],
        "smtpServer": f"smtp{number}",
        "valid": True,
        "fcc_folder": "mailbox://nobody@Local%20Folders/Sent",
        "headers": ",".join(f"header{n}" for n in range(len(given["headers"]))),
    }
    for n, (name, value) in enumerate(given["headers"].items()):
        prefs[f"header.header{n}"] = f"{name}: {value}"
    return {f"mail.identity.id{number}.{name}": value for name, value in prefs.items()}


def _literal(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def body(given):
    """The text and the HTML as one page, with the picture as Thunderbird's editor embeds it."""
    picture = given["inline"]
    content = base64.b64encode(pathlib.Path(picture["path"]).read_bytes()).decode()
    data = f"data:{picture['type']};filename={picture['name']};base64,{content}"
    lines = "<br>\n".join(html.escape(line) for line in given["text"].rstrip("\n").split("\n"))
    return f"<p>{lines}</p>\n" + given["html"].replace(f"cid:{picture['content_id']}", data)


class Thunderbird:
    """The program from its start until `end`. `letters` are pairs of an account and of the message
    that it sends, counted from 1; `ca` is the authority that it trusts."""

    def __init__(self, letters, ca):
        self.letters = letters
        self.desk = display.Desk("thunderbird")
        self.profile = self.desk.home / "profile"
        self.profile.mkdir()
        self.control = None
        try:
            self._start(ca)
        except BaseException:
            self.end()
            raise

    def _start(self, ca):
        port = harness.free_port()
        lines = [
            f'user_pref("{name}", {_literal(value)});\n'
            for name, value in preferences(self.letters, port).items()
        ]
        (self.profile / "user.js").write_text("".join(lines), encoding="utf-8")
        # Trusts the authority that has signed the relay's certificate, for servers.
        for command in (["-N", "--empty-password"], ["-A", "-n", "relay", "-t", "C,,", "-i", ca]):
            subprocess.run(
                ["certutil", "-d", f"sql:{self.profile}", *command], check=True, timeout=60
            )
        self.desk.start(
            ["thunderbird", "--profile", self.profile]
            + ["--marionette", "--remote-allow-system-access"]
        )
        self.control = harness.wait_until(
            lambda: self._connect(port), START_SECONDS, "Thunderbird's remote control"
        )

    def _connect(self, port):
        try:
            return marionette.Marionette(port)
        except OSError:
            return None

    def look(self):
        return self.control.script(LOOK)

    def open(self, number):
        """Opens a compose window with everything in it."""
        given = self.letters[number - 1][1]
        page = self.desk.home / "page.html"
        if given["html"]:
            page.write_text(body(given), encoding="utf-8")
        fields = {
            "preselectid": f"id{number}",
            "to": ", ".join(program.mailboxes(given["to"])),
            "cc": ", ".join(program.mailboxes(given["cc"])),
            "bcc": ", ".join(program.mailboxes(given["bcc"])),
            "subject": given["subject"],
            "format": "html" if given["html"] else "text",
            "message": page if given["html"] else given["text_path"],
            "attachment": ",".join(entry["named_path"] for entry in given["attachments"]),
        }
        text = ",".join(f"{name}='{value}'" for name, value in fields.items() if value)
        self.desk.run(["thunderbird", "--profile", self.profile, "-compose", text])

        def is_ready():
            seen = self.look()
            return seen["composing"] == 1 and not seen["locked"]

        harness.wait_until(is_ready, SEND_SECONDS, "the compose window")

    def send(self, number, seconds=SEND_SECONDS):
        """Sends a letter; program.Shown."""
        self.open(number)
        before = len(self.control.script(CONSOLE))
        self.control.script(PRESS_SEND)
        said = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            seen = self.look()
            if seen["dialogs"]:
                said += self._answer(seen["dialogs"][0], self.letters[number - 1][0])
            elif seen["composing"] == 0:
                return program.Shown(said, "\n".join(self.control.script(CONSOLE)[before:]))
            elif said and not seen["locked"]:
                self.control.script(CLOSE)
            time.sleep(0.05)
        raise AssertionError(f"neither sent nor refused: {self.look()} {said}\n{self.desk.log}")

    def _answer(self, dialog, account):
        """Types the key where the program asks for it; returns what else it says, after closing
        that."""
        if dialog["kind"] == "promptPassword":
            self.control.script(ANSWER, "accept", account.key)
            return []
        if dialog["kind"] == "confirm":
            # A question before sending, about the size for example.
            self.control.script(ANSWER, "accept", None)
            return []
        button = "cancel" if dialog["kind"] == "confirmEx" else "accept"
        return [dialog["text"]] if self.control.script(ANSWER, button, None) else []

    def end(self):
        if self.control:
            self.control.close()
        self.desk.end()
