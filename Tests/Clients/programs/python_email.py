"""Sends $MESSAGE with Python's email.message and smtplib, as their documents show.

With `--print` the message goes to standard output instead, for a sendmail.
"""

import json
import os
import smtplib
import ssl
import sys
from email.headerregistry import Address
from email.message import EmailMessage

with open(os.environ["MESSAGE"], encoding="utf-8") as file:
    given = json.load(file)


def people(entries):
    return [Address(display_name=e["name"], addr_spec=e["address"]) for e in entries]


def content(entry):
    with open(entry["path"], "rb") as file:
        return file.read()


message = EmailMessage()
message["Subject"] = given["subject"]
message["From"] = people([given["from"]])
message["To"] = people(given["to"])
for name in ("cc", "bcc"):
    if given[name]:
        message[name] = people(given[name])
message["Reply-To"] = given["reply_to"]
for name, value in given["headers"].items():
    message[name] = value
message.set_content(given["text"])
if given["html"]:
    message.add_alternative(given["html"], subtype="html")
    inline = given["inline"]
    message.get_payload()[1].add_related(
        content(inline), *inline["type"].split("/"), cid=f"<{inline['content_id']}>",
        filename=inline["name"],
    )  # fmt: skip
for entry in given["attachments"]:
    message.add_attachment(content(entry), *entry["type"].split("/"), filename=entry["name"])

if "--print" in sys.argv:
    sys.stdout.buffer.write(message.as_bytes())
    sys.exit()

host, port = os.environ["SMTP_HOST"], int(os.environ["SMTP_PORT"])
context = ssl.create_default_context()
if os.environ["SMTP_TLS"] == "tls":
    server = smtplib.SMTP_SSL(host, port, context=context)
else:
    server = smtplib.SMTP(host, port)
    server.starttls(context=context)
with server:
    if os.environ["SMTP_AUTH"]:
        server.ehlo()
        server.user, server.password = os.environ["SMTP_USER"], os.environ["SMTP_KEY"]
        mechanism = os.environ["SMTP_AUTH"]
        server.auth(mechanism, getattr(server, "auth_" + mechanism.lower()))
    elif os.environ["SMTP_USER"]:
        server.login(os.environ["SMTP_USER"], os.environ["SMTP_KEY"])
    server.send_message(message)
