"""The clients that compose a message themselves, each configured as its documents say.

`limits` and `hides` belong to the client: what it cannot express, and which of the relay's texts it
does not show its user. Everything else is tested.
"""

import functools
import os
import subprocess

import support


@functools.cache
def go_cache():
    """Go's cache of compiled packages, for one run of the tests."""
    return support.new_folder("go-cache")


@functools.cache
def _go_binary():
    """Compiles the program once per run, because `go run` would link it for every message."""
    target = support.new_folder("go") / "send"
    subprocess.run(
        ["go", "build", "-o", target, support.PROGRAMS / "smtp_send.go"],
        check=True,
        env={"PATH": os.environ["PATH"], "HOME": str(target.parent), "GO111MODULE": "off",
             "GOFLAGS": "", "GOCACHE": str(go_cache())},
    )  # fmt: skip
    return target


def _go(account, message, folder):
    return [_go_binary()], None


def mailboxes(people, quoted=True):
    """As a person would type them."""

    def mailbox(name, address):
        quote = '"' if quoted or "," in name else ""
        return f"{quote}{name}{quote} <{address}>" if name else address

    return [mailbox(person["name"], person["address"]) for person in people]


def _swaks(account, message, folder):
    """swaks encodes no header: it sends words beyond ASCII as UTF-8, as they were typed."""
    given = support.read(message)
    tls = "--tls" if account.encryption == "starttls" else "--tls-on-connect"
    people = given["to"] + given["cc"] + given["bcc"]
    arguments = ["swaks", "--server", f"localhost:{account.port}", tls]
    arguments += ["--tls-verify", "--tls-ca-path", account.ca]
    if account.user:
        arguments += ["--auth", account.mechanism or "PLAIN"]
        arguments += ["--auth-user", account.user, "--auth-password", account.key]
    arguments += ["--from", given["from"]["address"]]
    arguments += ["--to", ",".join(person["address"] for person in people)]
    headers = {"From": mailboxes([given["from"]])[0], "To": ", ".join(mailboxes(given["to"]))}
    if given["cc"]:
        headers["Cc"] = ", ".join(mailboxes(given["cc"]))
    headers |= {"Reply-To": given["reply_to"], "Subject": given["subject"], **given["headers"]}
    for name, value in headers.items():
        arguments += ["--header", f"{name}: {value}"]
    if not given["html"] and not given["attachments"]:
        return arguments + ["--body", "@" + given["text_path"]], None
    arguments += ["--attach-type", "text/plain; charset=utf-8"]
    arguments += ["--attach-body", "@" + given["text_path"]]
    files = list(given["attachments"])
    if given["html"]:
        arguments += ["--attach-type", "text/html; charset=utf-8"]
        arguments += ["--attach-body", "@" + given["html_path"]]
        files = [given["inline"], *files]
    for entry in files:
        arguments += ["--attach-type", entry["type"], "--attach-name", entry["name"]]
        arguments += ["--attach", "@" + entry["path"]]
    return arguments, None


def msmtp_configuration(account, folder):
    """A .msmtprc: the example of msmtp's manual with our host, port and key."""
    path = folder / "msmtprc"
    how = account.mechanism.lower() or "on"
    login = f"auth {how}\nuser {account.user}\npassword {account.key}\n" if account.user else ""
    path.write_text(
        "defaults\n"
        f"tls on\ntls_starttls {'on' if account.encryption == 'starttls' else 'off'}\n"
        f"tls_trust_file {account.ca}\n\n"
        f"account postscale\nhost localhost\nport {account.port}\n"
        f"from sender@yourdomain.com\n{login}\naccount default : postscale\n"
    )
    path.chmod(0o600)
    return path


def _mutt(transport):
    """mutt without its user interface (`mutt -s … -a … -- to`), by its own SMTP or by msmtp."""

    def command(account, message, folder):
        given = support.read(message)
        lines = ["set charset=utf-8 send_charset=utf-8 copy=no", "set edit_headers=no signature=''"]
        lines += [f"set from={given['from']['address']}", f"set realname='{given['from']['name']}'"]
        lines += ["unset user_agent", "set use_envelope_from=yes"]
        lines += [f"my_hdr Reply-To: {given['reply_to']}"]
        lines += [f"my_hdr {name}: {value}" for name, value in given["headers"].items()]
        if given["html"]:
            script = folder / "to-html"
            script.write_text(f"#!/bin/sh\nprintf 'text/html\\n\\n'\ncat {given['html_path']}\n")
            script.chmod(0o755)
            lines += ["set send_multipart_alternative=yes"]
            lines += [f"set send_multipart_alternative_filter={script}"]
        if transport == "msmtp":
            lines += [f"set sendmail='msmtp -C {msmtp_configuration(account, folder)}'"]
        else:
            scheme = "smtp" if account.encryption == "starttls" else "smtps"
            user = account.user + "@" if account.user else ""
            lines += [f"set smtp_url='{scheme}://{user}localhost:{account.port}'"]
            lines += [f"set smtp_pass='{account.key}'", "set ssl_force_tls=yes"]
            if account.mechanism:
                lines += [f"set smtp_authenticators={account.mechanism.lower()}"]
            lines += [f"set certificate_file={account.ca} ssl_verify_host=yes"]
        configuration = folder / "muttrc"
        configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
        arguments = ["mutt", "-n", "-F", configuration, "-s", given["subject"]]
        for option, people in (("-c", given["cc"]), ("-b", given["bcc"])):
            for mailbox in mailboxes(people):
                arguments += [option, mailbox]
        files = ([given["inline"]] if given["inline"] else []) + given["attachments"]
        if files:
            arguments += ["-a", *[entry["named_path"] for entry in files]]
        arguments += ["--", *mailboxes(given["to"])]
        if account.verbose:
            log = 'mutt -d 2 "$@"; status=$?; cat "$HOME/.muttdebug0"; exit $status'
            arguments = ["sh", "-c", log, *arguments]
        return arguments, given["text"]

    return command


def _s_nail(transport):
    """s-nail without its user interface; its manual has scripts describe attachments with `~^`."""

    def command(account, message, folder):
        given = support.read(message)
        lines = ["set v15-compat ttycharset=utf-8 sendcharsets=utf-8 quiet record=/dev/null"]
        lines += ["unset record", "set sendwait fullnames"]
        sender = mailboxes([given["from"]], quoted=False)[0]
        lines += [f"wysh set from='{sender}' reply-to={given['reply_to']}"]
        if transport == "msmtp":
            lines += ["set mta=/usr/bin/msmtp"]
            lines += [f"wysh set mta-arguments='-C {msmtp_configuration(account, folder)}'"]
        else:
            scheme = "smtp" if account.encryption == "starttls" else "smtps"
            login = f"{account.user}:{account.key}@" if account.user else ""
            lines += [f"set mta={scheme}://{login}localhost:{account.port} smtp-use-starttls"]
            mechanism = account.mechanism.lower() or "plain"
            lines += [f"set smtp-auth={mechanism if account.user else 'none'}"]
            lines += [f"set tls-verify=strict tls-ca-file={account.ca} tls-ca-no-defaults"]
        configuration = folder / "mailrc"
        configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
        arguments = ["s-nail", "-~", "-:/", "-X", f"source {configuration}", "-s", given["subject"]]
        for name, value in given["headers"].items():
            arguments += ["-C", f"{name}: {value}"]
        for option, people in (("-c", given["cc"]), ("-b", given["bcc"])):
            for mailbox in mailboxes(people, quoted=False):
                arguments += [option, mailbox]
        script = ""
        if given["inline"]:
            inline = given["inline"]
            script += _s_nail_attached(inline, "inline", inline["content_id"])
        for entry in given["attachments"]:
            script += _s_nail_attached(entry)
        return arguments + mailboxes(given["to"], quoted=False), script + given["text"]

    return command


def _s_nail_attached(entry, disposition=None, content_id=None):
    attributes = {"content-type": entry["type"]}
    if "name" in entry:
        attributes["filename"] = entry["name"]
    if disposition:
        attributes["content-disposition"] = disposition
    if content_id:
        attributes["content-id"] = f"<{content_id}>"
    path = entry["path"]
    lines = [f"~^ attachment insert {path}"]
    # The name comes last: the attachment is found by it, unless a path is given.
    lines += [f"~^ attachment attribute-set {path} {k} '{v}'" for k, v in attributes.items()]
    return "\n".join(lines) + "\n"


CANONICAL = {
    "line ends of text files": "sends text files in canonical form, with CRLF (RFC 2045 6.8)"
}
_MUTT = {
    "Content-ID": "comes without one: only its screen can give a part a Content-ID",
    **CANONICAL,
}
_FROM = {"From at a line's start": "smtplib's generator writes >From, as for a mailbox file"}
RUBY = {"line ends of HTML": "quoted-printable of CRLF text has =0D before each line end"}
_S_NAIL = {
    "HTML": "an HTML part is always a file with a name, and so is shown by no program as the letter",
    "quoted display names": "encodes a quoted name together with its first quote",
    **CANONICAL,
}
_MUTT_LOGIN = "says 'SASL authentication failed'; its log (-d 2) has our text"
_PHP = "getMessage() and ErrorInfo say 'Could not authenticate.'; SMTPDebug shows our text"

LOGIN_ROWS = ("wrong user", "key refused", "key cannot be checked")
ROWS = (*LOGIN_ROWS, "API unavailable", "malformed", "rate limit", "suppressed", "not logged in")

COMPOSERS = [
    support.Client(
        "Python email", ["python3"], ["python3", "--version"],
        support.program("python_email.py", "python3"), limits=_FROM,
    ),
    support.Client(
        "Python email.mime", ["python3"], ["python3", "--version"],
        support.program("python_mime.py", "python3"),
    ),
    support.Client(
        "swaks", ["swaks"], ["swaks", "--version"], _swaks,
        own_headers=("x-mailer",),
        limits={"Content-ID": "comes without one: has no option for it"},
    ),
    support.Client(
        "Nodemailer", ["node", "/usr/share/nodejs/nodemailer/package.json"],
        ["node", "-p", "require('/usr/share/nodejs/nodemailer/package.json').version"],
        support.program("nodemailer.js", "env", "NODE_PATH=/usr/share/nodejs", "node"),
    ),
    support.Client(
        "PHPMailer", ["php", "/usr/share/php/libphp-phpmailer/autoload.php"],
        ["php", "-r", "require '/usr/share/php/libphp-phpmailer/autoload.php';"
         "echo PHPMailer\\PHPMailer\\PHPMailer::VERSION;"],
        support.program("phpmailer.php", "php"),
        own_headers=("x-mailer",),
        hides=dict.fromkeys(LOGIN_ROWS, _PHP),
    ),
    support.Client(
        "Ruby mail", ["ruby"],
        ["ruby", "-e", "require 'mail'; puts Mail::VERSION.version"],
        support.program("ruby_mail.rb", "ruby"), limits=RUBY,
    ),
    support.Client(
        "Go net/smtp", ["go"], ["go", "version"], _go,
        mechanisms_missing={"LOGIN": "net/smtp has PLAIN and CRAM-MD5"},
    ),
    support.Client("mutt", ["mutt"], ["mutt", "-v"], _mutt("smtp"), limits=_MUTT,
        hides=dict.fromkeys(LOGIN_ROWS, _MUTT_LOGIN),
    ),
    support.Client(
        "mutt over msmtp", ["mutt", "msmtp"], ["msmtp", "--version"], _mutt("msmtp"),
        limits=_MUTT,
    ),
    support.Client("s-nail", ["s-nail"], ["s-nail", "--version"], _s_nail("smtp"),
        own_headers=("user-agent",), limits=_S_NAIL,
    ),
    support.Client(
        "s-nail over msmtp", ["s-nail", "msmtp"], ["msmtp", "--version"], _s_nail("msmtp"),
        own_headers=("user-agent",), limits=_S_NAIL,
    ),
]  # fmt: skip
