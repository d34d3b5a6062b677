"""Sends $MESSAGE with Python's older email.mime classes and smtplib, as most examples do."""

import json
import os
import smtplib
import ssl
from email.header import Header
from email.mime.application import MIMEApplication
from email.mime.image import MIMEImage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import formataddr

with open(os.environ["MESSAGE"], encoding="utf-8") as file:
    given = json.load(file)


def people(entries):
    return ", ".join(formataddr((e["name"], e["address"])) for e in entries)


def content(entry):
    with open(entry["path"], "rb") as file:
        return file.read()


message = MIMEMultipart("mixed")
message["Subject"] = Header(given["subject"], "utf-8")
message["From"] = people([given["from"]])
message["To"] = people(given["to"])
for name in ("cc", "bcc"):
    if given[name]:
        message[name] = people(given[name])
message["Reply-To"] = given["reply_to"]
for name, value in given["headers"].items():
    message[name] = value
alternative = MIMEMultipart("alternative")
alternative.attach(MIMEText(given["text"], "plain", "utf-8"))
message.attach(alternative)
if given["html"]:
    related = MIMEMultipart("related")
    related.attach(MIMEText(given["html"], "html", "utf-8"))
    picture = MIMEImage(content(given["inline"]), "png")
    picture.add_header("Content-ID", f"<{given['inline']['content_id']}>")
    picture.add_header("Content-Disposition", "inline", filename=given["inline"]["name"])
    related.attach(picture)
    alternative.attach(related)
for entry in given["attachments"]:
    kind, subtype = entry["type"].split("/")
    if kind == "text":
        part = MIMEText(content(entry).decode("utf-8"), subtype, "utf-8")
    else:
        part = MIMEApplication(content(entry), subtype)
    part.add_header("Content-Disposition", "attachment", filename=entry["name"])
    message.attach(part)

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
