"""Evolution: an account by its source files, a message by a mailto, the rest by its windows."""

import pathlib
import re
import urllib.parse

from desktop import program
from support import harness

SECURITY = {"starttls": "starttls-on-standard-port", "tls": "ssl-on-alternate-port"}
PASSWORD = "Mail authentication request"
# In the menu of an attached file; while the file is read, the menu has "Cancel" instead. The size
# is shown from the beginning, and Send sends only what has been read.
ATTACHED, READING = "Save As", "Cancel"
MENU_SECONDS = 5
# A program's settings, as GSettings keeps them in a file.
SETTINGS = """[org/gnome/evolution/mail]
prompt-check-if-default-mailer=false
prompt-on-empty-subject=false
composer-mode='html'
composer-send-html=true
prompt-on-unwanted-html=false
"""
SIGNATURE = """[Data Source]
DisplayName=signature
Enabled=true
Parent=

[Mail Signature]
MimeType=text/html
"""


def sources(account, given):
    """{file's stem: content}: the account, its identity and its outgoing server."""
    collection = "[Data Source]\nDisplayName=postscale\nEnabled=true\nParent=\n\n"
    child = "[Data Source]\nDisplayName=postscale\nEnabled=true\nParent=postscale\n\n"
    return {
        "postscale": collection
        + "[Mail Account]\nBackendName=none\nIdentityUid=postscale-identity\n",
        "postscale-identity": child
        + f"[Mail Identity]\nName={given['from']['name']}\nAddress={given['from']['address']}\n"
        f"ReplyTo={given['reply_to']}\nSignatureUid=postscale-signature\n\n"
        "[Mail Submission]\nTransportUid=postscale-transport\nSentFolder=folder://local/Sent\n\n"
        "[Mail Composition]\nBcc=\nCc=\n",
        "postscale-transport": child
        + f"[Authentication]\nHost=localhost\nPort={account.port}\nUser={account.user}\n"
        f"Method={(account.mechanism or 'PLAIN') if account.user else ''}\nRememberPassword=false\n\n"
        f"[Security]\nMethod={SECURITY[account.encryption]}\n\n"
        "[Mail Transport]\nBackendName=smtp\n",
        "postscale-signature": SIGNATURE,
    }


def letter(given):
    """The message as a mailto; the files as it names them."""
    parts = {
        "cc": ", ".join(program.mailboxes(given["cc"])),
        "bcc": ", ".join(program.mailboxes(given["bcc"])),
        "subject": given["subject"],
        "body": given["text"],
    }
    pairs = [(name, value) for name, value in parts.items() if value]
    pairs += [("attach", entry["named_path"]) for entry in given["attachments"]]
    to = urllib.parse.quote(", ".join(program.mailboxes(given["to"])))
    return f"mailto:{to}?" + urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote)


class Evolution(program.Program):
    name = "evolution"
    main = " — Evolution"

    def start(self, account, given):
        self.composer = given["subject"]
        self.prompt = ""
        configuration = self.desk.home / ".config"
        folder = configuration / "evolution" / "sources"
        folder.mkdir(parents=True)
        for name in ("webkit-editor-plugins", "preview-plugins"):
            (self.desk.home / ".local/share/evolution" / name).mkdir(parents=True)
        for stem, text in sources(account, given).items():
            (folder / f"{stem}.source").write_text(text, encoding="utf-8")
        signatures = configuration / "evolution" / "signatures"
        signatures.mkdir()
        if given["html"]:
            picture = given["inline"]
            cid, path = f"cid:{picture['content_id']}", f"file://{picture['path']}"
            page = given["html"].replace(cid, path)
            (signatures / "postscale-signature").write_text(page, encoding="utf-8")
        settings = configuration / "glib-2.0" / "settings"
        settings.mkdir(parents=True)
        (settings / "keyfile").write_text(SETTINGS)
        environment = {
            "GSETTINGS_BACKEND": "keyfile",
            "WEBKIT_DISABLE_COMPOSITING_MODE": "1",
            # What its documents say to set in order to see what a server says.
            "CAMEL_DEBUG": "smtp",
        }
        return self.desk.start(["evolution", letter(given)], environment)

    def is_attached(self, given):
        return all(self._is_read(pathlib.Path(e["named_path"]).name) for e in given["attachments"])

    def _is_read(self, name):
        """What the file's own menu shows."""
        if not self.screen.press_right(self.composer, "icon", name):
            return False
        try:
            menu = harness.wait_until(self._menu, MENU_SECONDS, f"the menu of {name}")
        except AssertionError:
            return False  # We asked for it while the window was busy.
        self.screen.key("Escape")
        harness.wait_until(lambda: not self._menu(), program.START_SECONDS, "closing the menu")
        return ATTACHED in menu["buttons"]

    def _menu(self):
        known = (ATTACHED, READING)
        windows = [w for w in self.screen.windows() if w["role"] == "window"]
        return next((w for w in windows if any(b in known for b in w["buttons"])), None)

    def answer(self, window, account, shown):
        """Types the key once, where the program asks for it; notes what else the program says.
        After a refusal the program shows the same prompt again, with the key in it and without a
        reason."""
        name = window["name"]
        if name != PASSWORD or self.prompt not in ("", window["id"]):
            shown.dialogs.append(" ".join(window["texts"]))
            replies = re.findall(r"^\[SMTP\] received: (.*)$", self.desk.log, re.MULTILINE)
            shown.log = "\n".join(replies)
        elif window["fields"].get("password text") != 0:
            self.screen.press(name, "OK")
        elif self.screen.type(name, "password text", account.key):
            self.prompt = window["id"]
