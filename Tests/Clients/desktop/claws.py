"""Claws Mail: an account by its files, a message by --compose-from-file, the rest by windows."""

from desktop import program

# Its setting of the authentication method; 0 is "Automatic".
MECHANISMS = {"": 0, "LOGIN": 1, "PLAIN": 16}
SECURITY = {"tls": 1, "starttls": 2}
PASSWORD = "Input password"
LOG = "Network log"
SMTP_ONLY = 5
FOLDERS = {"inbox": "inbox", "outbox": "sent", "draft": "draft", "queue": "queue", "trash": "trash"}


def account_file(account, given):
    lines = {
        "account_name": "postscale",
        "is_default": 1,
        "name": given["from"]["name"],
        "address": given["from"]["address"],
        "protocol": SMTP_ONLY,
        "smtp_server": "localhost",
        "use_smtp_auth": 1 if account.user else 0,
        "smtp_auth_method": MECHANISMS[account.mechanism],
        "smtp_user_id": account.user,
        "ssl_smtp": SECURITY[account.encryption],
        "set_smtpport": 1,
        "smtp_port": account.port,
        "set_autoreplyto": 1,
        "auto_replyto": given["reply_to"],
        "add_custom_header": 1,
        # A chain that an authority of the system has signed is taken without a question.
        "ssl_certs_auto_accept": 1,
    }
    return "[Account: 1]\n" + "".join(f"{name}={value}\n" for name, value in lines.items())


def folder_list():
    items = "".join(f'<folderitem type="{t}" name="{n}" path="{n}"/>' for t, n in FOLDERS.items())
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<folderlist>'
        f'<folder type="mh" name="Mail" path="Mail">{items}</folder></folderlist>\n'
    )


class ClawsMail(program.Program):
    name = "claws-mail"
    main = " - Claws Mail "
    composer = " - Compose message"

    def start(self, account, given):
        self._write(account, given)
        letter = self.desk.home / "letter"
        letter.write_text(
            "".join(f"{name}: {', '.join(program.mailboxes(given[name.lower()]))}\n"
                    for name in ("To", "Cc", "Bcc") if given[name.lower()])
            + f"Subject: {given['subject']}\n\n{given['text']}",
            encoding="utf-8",
        )  # fmt: skip
        files = ([given["inline"]] if given["inline"] else []) + given["attachments"]
        attach = ["--attach", *[entry["named_path"] for entry in files]] if files else []
        return self.desk.start(["claws-mail", "--compose-from-file", letter, *attach])

    def _write(self, account, given):
        folder = self.desk.home / ".claws-mail"
        folder.mkdir()
        (folder / "folderlist.xml").write_text(folder_list())
        for name in FOLDERS.values():
            (self.desk.home / "Mail" / name).mkdir(parents=True)
        (folder / "accountrc").write_text(account_file(account, given), encoding="utf-8")
        headers = [f"1:{name}: {value}\n" for name, value in given["headers"].items()]
        (folder / "customheaderrc").write_text("".join(headers), encoding="utf-8")

    def answer(self, window, account, shown):
        """Types the key where the program asks for it; notes what else the program says, and its
        log."""
        name, buttons = window["name"], window["buttons"]
        if name == PASSWORD:
            if self.screen.type(name, "password text", account.key):
                self.press(name, "OK")
                self.wait_until_gone(name)
        elif "View log" in buttons and "Hide" not in buttons:
            self.press(name, "View log")
            shown.log = "\n".join(self.wait_for(LOG)["texts"])
            shown.dialogs.append(" ".join(window["texts"]))
        elif "Close" in buttons or "Cancel connection" in buttons:
            shown.dialogs.append(" ".join(window["texts"]))
