"""Clients of languages and tools that the page does not name.

Net::SMTP, Twisted and aiosmtplib compose nothing: they get the message that Python's email wrote,
as `MESSAGE_FILE`. curl and Email::MIME compose it themselves.
"""

import functools
import os
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
        if account.mechanism:
            arguments += ["--login-options", f"AUTH={account.mechanism}"]
    arguments += ["--mail-from", given["from"]["address"]]
    for person in given["to"] + given["cc"] + given["bcc"]:
        arguments += ["--mail-rcpt", person["address"]]
    people = {"From": [given["from"]], "To": given["to"], "Cc": given["cc"]}
    headers = {name: ", ".join(composers.mailboxes(list)) for name, list in people.items() if list}
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


# A usual size, and one that no line of base64 divides.
JAVA_CHUNK_BYTES = 100_000
JAVA_CLASSES = ":".join(f"/usr/share/java/jakarta-{name}.jar" for name in ("mail", "activation"))


@functools.cache
def _java_class():
    """The folder of the compiled program, made once per run."""
    folder = support.new_folder("java")
    subprocess.run(
        ["javac", "-encoding", "UTF-8", "-cp", JAVA_CLASSES, "-d", str(folder),
         str(support.PROGRAMS / "SendMail.java")],
        check=True, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    return folder


def _flat(value, prefix=""):
    """Names and texts of a message.json, as a file of Java properties."""
    if isinstance(value, dict) and prefix == "headers.":
        value = [{"name": name, "value": text} for name, text in value.items()]
    if isinstance(value, list):
        yield prefix + "count", str(len(value))
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{prefix}{name}.")
    elif value is not None:
        yield prefix[:-1], value


def _java_escaped(text):
    """Every UTF-16 unit is written by its number, so that no character has a special meaning."""
    units = text.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _java(account, message, folder, environment=()):
    """Jakarta Mail on the JVM. The JVM has no JSON, so the message comes as properties."""
    path = folder / "message.properties"
    lines = [f"{name}={_java_escaped(text)}\n" for name, text in _flat(support.read(message))]
    path.write_text("".join(lines), encoding="ascii")
    classes = f"{JAVA_CLASSES}:{_java_class()}"
    return ["env", f"MESSAGE_PROPERTIES={path}", *environment, "java", "-XX:TieredStopAtLevel=1", "-cp", classes,
            "SendMail"], None  # fmt: skip


def _java_in_chunks(account, message, folder):
    """By BDAT, as its property mail.smtp.chunksize asks."""
    return _java(account, message, folder, [f"SMTP_CHUNK_BYTES={JAVA_CHUNK_BYTES}"])


def _git(account, message, folder):
    """git send-email of one patch, everything else set by its options; the text of a patch is
    mail."""
    given = support.read(message)
    patch = folder / "0001.patch"
    headers = {"From": composers.mailboxes([given["from"]])[0], "Subject": given["subject"]}
    headers |= {**given["headers"], "MIME-Version": "1.0"}
    headers |= {"Content-Type": "text/plain; charset=UTF-8", "Content-Transfer-Encoding": "8bit"}
    lines = ["From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    patch.write_text("\n".join(lines) + "\n\n" + given["text"], encoding="utf-8", newline="")
    arguments = ["git", "-c", "user.name=Sender", "-c", "user.email=sender@yourdomain.com"]
    arguments += ["send-email", "--smtp-server=localhost", f"--smtp-server-port={account.port}"]
    arguments += [f"--smtp-encryption={'ssl' if account.encryption == 'tls' else 'tls'}"]
    arguments += [f"--smtp-ssl-cert-path={account.ca}"]
    if account.user:
        arguments += [f"--smtp-user={account.user}", f"--smtp-pass={account.key}"]
    if account.mechanism:
        arguments += [f"--smtp-auth={account.mechanism}"]
    for option, people in (("to", given["to"]), ("cc", given["cc"]), ("bcc", given["bcc"])):
        arguments += [f"--{option}={mailbox}" for mailbox in composers.mailboxes(people)]
    arguments += [f"--from={headers['From']}", f"--reply-to={given['reply_to']}"]
    arguments += ["--suppress-cc=all", "--confirm=never", "--no-xmailer", "--no-validate"]
    return [*arguments, patch], None


def _send_email(account, message, folder):
    """The command sendEmail with its options."""
    given = support.read(message)
    arguments = ["sendEmail", "-s", f"localhost:{account.port}", "-o", "tls=yes"]
    if account.user:
        arguments += ["-xu", account.user, "-xp", account.key]
    arguments += ["-f", composers.mailboxes([given["from"]])[0], "-u", given["subject"]]
    for option, people in (("-t", given["to"]), ("-cc", given["cc"]), ("-bcc", given["bcc"])):
        if people:
            arguments += [option, *[person["address"] for person in people]]
    arguments += ["-o", f"reply-to={given['reply_to']}", "-o", "message-charset=utf-8"]
    arguments += ["-o", f"message-file={given['text_path']}"]
    for name, value in given["headers"].items():
        arguments += ["-o", f"message-header={name}: {value}"]
    if given["attachments"]:
        arguments += ["-a", *[entry["named_path"] for entry in given["attachments"]]]
    return arguments, None


def _debian(package):
    return ["dpkg-query", "-W", "-f=${Version}", package]


# What `make check-clients` installs from PyPI, in a virtual environment.
_PYPI = support.harness.ROOT / ".build/pypi/bin/python"


def _pypi(package, program):
    """(what must be there, the command for its version, the command that sends)."""
    version = f"from importlib.metadata import version; print(version('{package}'))"
    installed = str(_PYPI.parents[1] / "installed")
    return (
        [str(_PYPI), installed], [str(_PYPI), "-c", version],
        _composed([_PYPI, support.PROGRAMS / program]),
    )  # fmt: skip


_DJANGO = {
    "line ends of text files": "sends text files in canonical form, with CRLF (RFC 2045 6.8)",
    "verification": "Django 3.2 gives smtplib no context, so nothing is verified (fixed in 4.2)",
}
_SMTPLIB = "only if it alone is offered; smtplib's login() prefers PLAIN"
_AUTHEN_SASL = "only if it alone is offered; Authen::SASL takes the first one offered"
_LOGIN_FIRST = "only if it alone is offered; prefers LOGIN"
_SYMFONY = {"Content-ID of its own": "makes one for each picture that the HTML names"}
_PATCH = "sends a patch, which is text"
_GIT = dict.fromkeys(("HTML", "inline image", "attachments"), _PATCH)
_SEND_EMAIL = {
    "To, Cc": "splits lists at every comma, in names too; was given addresses alone",
    "dot in front of a dot": "is not doubled (RFC 5321 4.5.2), so one of two is lost",
    "HTML": "sends one body, text or HTML",
    "media types": "are its own: x-zip-compressed, octet-stream for what it does not know",
    "inline image": "has no inline parts",
}
_SEND_EMAIL_LOGIN = "says 'SMTP-AUTH: Authentication to … failed' and, with -vv, the code"

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
        mechanisms_by_offer={"LOGIN": _AUTHEN_SASL},
    ),
    support.Client("Twisted", *_pypi("twisted", "twisted_send.py")),
    support.Client("aiosmtplib", *_pypi("aiosmtplib", "aiosmtplib_send.py")),
    support.Client(
        "Django", ["/usr/lib/python3/dist-packages/django"], _debian("python3-django"),
        support.program("django_send.py", "/usr/bin/python3"), limits=_DJANGO,
        mechanisms_by_offer={"LOGIN": _SMTPLIB},
    ),
    support.Client(
        "Symfony Mailer", ["php", "/usr/share/php/Symfony/Component/Mailer/Mailer.php"],
        _debian("php-symfony-mailer"), support.program("symfony.php", "php"), limits=_SYMFONY,
    ),
    support.Client(
        "PEAR Mail", ["php", "/usr/share/php/Mail/mime.php", "/usr/share/php/Net/SMTP.php"],
        _debian("php-net-smtp"), support.program("pear_mail.php", "php"),
    ),
    support.Client(
        "Action Mailer", ["ruby"], _debian("ruby-actionmailer"),
        support.program("action_mailer.rb", "ruby"), limits=composers.RUBY,
    ),
    support.Client(
        "Jakarta Mail", ["java", "javac", "/usr/share/java/jakarta-mail.jar"],
        _debian("libjakarta-mail-java"), _java,
    ),
    support.Client(
        "Jakarta Mail by BDAT", ["java", "javac", "/usr/share/java/jakarta-mail.jar"],
        _debian("libjakarta-mail-java"), _java_in_chunks,
        limits={"dots at line starts": "are doubled, by BDAT too, where nobody takes one off"},
    ),
    support.Client(
        "git send-email", ["git", "/usr/lib/git-core/git-send-email"], _debian("git-email"), _git,
        limits=_GIT, is_large_as_text=True,
    ),
    support.Client(
        "sendEmail", ["sendEmail"], _debian("sendemail"), _send_email, limits=_SEND_EMAIL,
        own_headers=("x-mailer",),
        encryptions=("starttls",), mechanisms_by_offer={"PLAIN": _LOGIN_FIRST},
        mute=dict.fromkeys(composers.LOGIN_ROWS, _SEND_EMAIL_LOGIN),
    ),
]  # fmt: skip
