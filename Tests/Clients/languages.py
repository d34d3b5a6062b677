"""Clients of languages and tools that the page does not name.

Net::SMTP, Twisted and aiosmtplib compose nothing: they are given the message that Python's email
wrote, as `MESSAGE_FILE`. curl and Email::MIME compose by themselves.
"""

import subprocess

import composers
import support


def _composed(command):
    """Runs `command` with the composed message beside message.json."""

    def run(account, message, folder):
        raw = subprocess.run(
            ["python3", support.PROGRAMS / "python_email.py", "--print"],
            env={"MESSAGE": str(message), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            check=True,
            capture_output=True,
        ).stdout
        path = folder / "message.eml"
        path.write_bytes(raw)
        return ["env", f"MESSAGE_FILE={path}", *command], None

    return run


def _curl(account, message, folder):
    """curl with --mail-from, --mail-rcpt and a form (-F) as its manual's mail example has it."""
    given = support.read(message)
    scheme = "smtps" if account.encryption == "tls" else "smtp"
    arguments = ["curl", "-v" if account.verbose else "-sS", "--ssl-reqd", "--cacert", account.ca]
    arguments += ["--url", f"{scheme}://localhost:{account.port}"]
    if account.user:
        arguments += ["--user", f"{account.user}:{account.key}"]
    arguments += ["--mail-from", given["from"]["address"]]
    for person in given["to"] + given["cc"] + given["bcc"]:
        arguments += ["--mail-rcpt", person["address"]]

    def mailboxes(people):
        return ", ".join(f'"{p["name"]}" <{p["address"]}>' if p["name"] else p["address"]
                         for p in people)  # fmt: skip

    headers = {"From": mailboxes([given["from"]]), "To": mailboxes(given["to"])}
    if given["cc"]:
        headers["Cc"] = mailboxes(given["cc"])
    headers |= {"Reply-To": given["reply_to"], "Subject": given["subject"], **given["headers"]}
    for name, value in headers.items():
        arguments += ["-H", f"{name}: {value}"]
    text, page = given["text_path"], given["html_path"]
    coded = "charset=utf-8;encoder=quoted-printable"
    arguments += ["-F", "=(;type=multipart/alternative", "-F", f"=<{text};type=text/plain;{coded}"]
    if given["html"]:
        arguments += ["-F", "=(;type=multipart/related", "-F", f"=<{page};type=text/html;{coded}"]
        entry = given["inline"]
        arguments += ["-F", _curl_file(entry) + f';headers="Content-ID: <{entry["content_id"]}>"']
        arguments += ["-F", "=)"]
    arguments += ["-F", "=)"]
    for entry in given["attachments"]:
        arguments += ["-F", _curl_file(entry)]
    return arguments, None


def _curl_file(entry):
    return f'=@{entry["path"]};type={entry["type"]};filename="{entry["name"]}";encoder=base64'


def _debian(package):
    return ["dpkg-query", "-W", "-f=${Version}", package]


LANGUAGES = [
    support.Client(
        "curl", ["curl"], _debian("curl"), _curl,
        hides=dict.fromkeys(composers.ROWS, "shows the code at most; -v has our text"),
    ),
    support.Client(
        "Perl Net::SMTP", ["perl", "/usr/share/perl5/Authen/SASL.pm"], _debian("perl"),
        _composed(["perl", support.PROGRAMS / "net_smtp.pl"]),
    ),
    support.Client(
        "Perl Email::Sender", ["perl", "/usr/share/perl5/Email/Sender.pm"],
        _debian("libemail-sender-perl"), support.program("email_sender.pl", "perl"),
    ),
    support.Client(
        "Twisted", ["/usr/lib/python3/dist-packages/twisted"], _debian("python3-twisted"),
        _composed(["/usr/bin/python3", support.PROGRAMS / "twisted_send.py"]),
    ),
    support.Client(
        "aiosmtplib", ["/usr/lib/python3/dist-packages/aiosmtplib"],
        _debian("python3-aiosmtplib"),
        _composed(["/usr/bin/python3", support.PROGRAMS / "aiosmtplib_send.py"]),
    ),
]  # fmt: skip
