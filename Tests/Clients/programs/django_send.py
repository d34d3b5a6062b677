"""Sends $MESSAGE with Django's EmailMultiAlternatives, as its documents show."""

import json
import os
from email.mime.image import MIMEImage
from email.utils import formataddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

settings.configure(
    EMAIL_HOST=os.environ["SMTP_HOST"],
    EMAIL_PORT=int(os.environ["SMTP_PORT"]),
    EMAIL_USE_TLS=os.environ["SMTP_TLS"] == "starttls",
    EMAIL_USE_SSL=os.environ["SMTP_TLS"] == "tls",
    EMAIL_HOST_USER=os.environ["SMTP_USER"],
    EMAIL_HOST_PASSWORD=os.environ["SMTP_KEY"] if os.environ["SMTP_USER"] else "",
)

with open(os.environ["MESSAGE"], encoding="utf-8") as file:
    given = json.load(file)


def content(entry):
    with open(entry["path"], "rb") as file:
        return file.read()


def people(entries):
    return [formataddr((e["name"], e["address"])) if e["name"] else e["address"] for e in entries]


message = EmailMultiAlternatives(
    given["subject"],
    given["text"],
    people([given["from"]])[0],
    people(given["to"]),
    bcc=people(given["bcc"]),
    cc=people(given["cc"]),
    reply_to=[given["reply_to"]],
    headers=given["headers"],
)
if given["html"]:
    message.attach_alternative(given["html"], "text/html")
    picture = MIMEImage(content(given["inline"]), "png")
    picture.add_header("Content-ID", f"<{given['inline']['content_id']}>")
    picture.add_header("Content-Disposition", "inline", filename=given["inline"]["name"])
    message.attach(picture)
for entry in given["attachments"]:
    message.attach(entry["name"], content(entry), entry["type"])
message.send()
