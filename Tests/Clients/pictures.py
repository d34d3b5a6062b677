"""Takes the pictures of docs/thunderbird.md (`make thunderbird-pictures`): Thunderbird's set-up,
sending, and its messages about keys and an API that do not work.

Only on this desk the relay is called smtp.postscale.io, as for users.
"""

import subprocess
import time

import support
from desktop import authority, thunderbird
from support import harness

HOST = "smtp.postscale.io"
IMAGES = harness.ROOT / "docs/images"
SETTLE_SECONDS = 2.5
BACKGROUND = "#e5e9f0"
SERVER = """
const window = Services.wm.getMostRecentWindow("mail:3pane");
const server = { server: null, result: false };
window.setTimeout(() => window.openDialog(
  "chrome://messenger/content/SmtpServerEdit.xhtml", "smtpEdit",
  "chrome,titlebar,modal,centerscreen", server), 0);
"""
FILL = """
const window = Array.from(Services.wm.getEnumerator("")).find(
  w => w.location.href.endsWith("/SmtpServerEdit.xhtml"));
if (window?.document.readyState != "complete" || !window.gSmtpUsername) {
  return false;
}
const element = id => window.document.getElementById(id);
element("smtp.description").value = "Postscale";
element("smtp.hostname").value = "smtp.postscale.io";
element("smtp.socketType").value = 2;
element("smtp.socketType").dispatchEvent(new window.Event("command", { bubbles: true }));
element("smtp.port").value = 587;
element("smtp.authMethod").value = 3;
element("smtpUsername").value = "postscale";
window.resizeTo(640, 440);
return true;
"""
PLACE = """
const window = Array.from(Services.wm.getEnumerator("")).find(
  w => w.location.href.endsWith("/SmtpServerEdit.xhtml"));
return `${window.outerWidth}x${window.outerHeight}+${window.screenX}+${window.screenY}`;
"""
DISMISS = """
for (const window of Services.wm.getEnumerator("")) {
  if (window.location.href.endsWith("/SmtpServerEdit.xhtml")) {
    window.setTimeout(() => window.close(), 0);
  }
}
"""
# Moves the main window away, so that a picture shows its subject.
MINIMIZE = 'Services.wm.getMostRecentWindow("mail:3pane").minimize();'
SIZE = """
const window = Services.wm.getMostRecentWindow("msgcompose");
window.resizeTo(820, 560); window.moveTo(40, 40);
"""
PAGE = """<p>Hello Zoë,</p>
<p>the invoice is attached. <b>Thank you</b> for your order!</p>
<p><img src="cid:logo" alt="The logo"></p>
<p>Pat</p>
"""


def letter(folder, subject="Your invoice 🎉"):
    logo = folder / "logo.png"
    invoice = folder / "Résumé été.pdf"
    make_logo(logo)
    invoice.write_bytes(b"%PDF-1.7\n" + bytes(40_000))
    return {
        "from": {"name": "Pat O'Brien", "address": "pat@yourdomain.com"},
        "to": [{"name": "Zoë Müller", "address": "zoe@example.com"}],
        "cc": [],
        "bcc": [{"name": "", "address": "archive@yourdomain.com"}],
        "reply_to": "pat@yourdomain.com",
        "subject": subject,
        "text": "",
        "html": PAGE,
        "inline": {
            "path": str(logo), "name": "logo.png", "type": "image/png", "content_id": "logo",
        },  # fmt: skip
        "attachments": [{"named_path": str(invoice)}],
        "headers": {},
    }


def make_logo(path):
    text = ["-gravity", "center", "-fill", "white", "-pointsize", "28"]
    text += ["-annotate", "0", "Postscale"]
    picture = ["-size", "220x60", "gradient:#2563eb-#7c3aed", *text, str(path)]
    subprocess.run(["convert", *picture], check=True)


class Photographer:
    def __init__(self, running):
        self.running, self.desk, self.control = running, running.desk, running.control
        hosts = self.desk.home / "hosts"
        hosts.write_text(f"127.0.0.1 localhost {HOST}\n")
        self.desk.run(["mount", "--bind", hosts, "/etc/hosts"])
        self.desk.run(["xsetroot", "-solid", BACKGROUND])
        self.desk.start(["openbox"])

    def take(self, name, place=None):
        """The windows on the display without the empty edges, or what is at `place`, small enough
        for a page."""
        time.sleep(SETTLE_SECONDS)
        path = IMAGES / f"{name}.png"
        whole = self.desk.home / "whole.png"
        self.desk.screenshot(whole)
        trimmed = ["-crop", place] if place else ["-trim"]
        trimmed += ["+repage", "-bordercolor", BACKGROUND, "-border", "10", "-strip"]
        subprocess.run(["convert", whole, *trimmed, "-colors", "160", f"PNG8:{path}"], check=True)
        print(path.name, path.stat().st_size)

    def server(self):
        """What to type where."""
        self.control.script(SERVER)
        harness.wait_until(lambda: self.control.script(FILL), 30, "the server's dialog")
        time.sleep(SETTLE_SECONDS)
        self.take("thunderbird-server", self.control.script(PLACE))
        self.control.script(DISMISS)

    def dialog(self, kind):
        def is_there():
            dialogs = self.running.look()["dialogs"]
            return dialogs and dialogs[-1]["kind"] == kind

        harness.wait_until(is_there, 30, kind)

    def send(self, number, pictures):
        """Sends a letter and takes a picture of each dialog on the way: (kind, name, button)."""
        self.running.open(number)
        self.control.script(SIZE)
        if number == 1:
            self.take("thunderbird-compose")
        self.control.script(thunderbird.PRESS_SEND)
        for kind, name, button in pictures:
            self.dialog(kind)
            if name:
                self.take(name)
            key = self.running.letters[number - 1][0].key
            password = key if kind == "promptPassword" else None
            self.control.script(thunderbird.ANSWER, button, password)
        if len(pictures) > 1:
            self.control.script(thunderbird.CLOSE)
        harness.wait_until(lambda: not self.running.look()["composing"], 30, "an end")


def main():
    IMAGES.mkdir(exist_ok=True)
    folder = support.new_folder("pictures")
    ca, certificate, key = authority.make(folder, HOST)
    relay = harness.Relay("--tls-cert", str(certificate), "--tls-key", str(key))
    keys = [harness.new_key(behaviour) for behaviour in ("", "revoked", "down")]
    letters = [(support.Account(relay, key=key, host=HOST), letter(folder)) for key in keys]
    running = thunderbird.Thunderbird(letters, ca)
    try:
        photographer = Photographer(running)
        photographer.server()
        running.control.script(MINIMIZE)
        ask = ("promptPassword", None, "accept")
        photographer.send(1, [("promptPassword", "thunderbird-key", "accept")])
        photographer.send(2, [
            ask, ("confirmEx", "thunderbird-key-refused", "cancel"),
            ("alert", "thunderbird-not-sent", "accept"),
        ])  # fmt: skip
        photographer.send(3, [ask, ("alert", "thunderbird-api-unavailable", "accept")])
        sent = relay.sandbox.only_message()
        print({name: sent[name] for name in ("from", "to", "bcc", "subject", "text_body")})
    finally:
        running.end()
        relay.stop()


if __name__ == "__main__":
    main()
