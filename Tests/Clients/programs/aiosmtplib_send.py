"""Sends the message in $MESSAGE_FILE with aiosmtplib, as its documents show."""

import asyncio
import email
import email.policy
import json
import os
import ssl

import aiosmtplib

with open(os.environ["MESSAGE"], encoding="utf-8") as file:
    given = json.load(file)
with open(os.environ["MESSAGE_FILE"], "rb") as file:
    message = email.message_from_binary_file(file, policy=email.policy.default)
has_user = bool(os.environ["SMTP_USER"])
asyncio.run(
    aiosmtplib.send(
        message,
        hostname=os.environ["SMTP_HOST"],
        port=int(os.environ["SMTP_PORT"]),
        username=os.environ["SMTP_USER"] if has_user else None,
        password=os.environ["SMTP_KEY"] if has_user else None,
        use_tls=os.environ["SMTP_TLS"] == "tls",
        start_tls=os.environ["SMTP_TLS"] == "starttls",
        tls_context=ssl.create_default_context(),
    )
)
