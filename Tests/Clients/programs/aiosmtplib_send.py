"""Sends the message in $MESSAGE_FILE with aiosmtplib, as its documents show."""

import asyncio
import email
import email.policy
import os
import ssl

import aiosmtplib

with open(os.environ["MESSAGE_FILE"], "rb") as file:
    message = email.message_from_binary_file(file, policy=email.policy.default)
client = aiosmtplib.SMTP(
    hostname=os.environ["SMTP_HOST"],
    port=int(os.environ["SMTP_PORT"]),
    use_tls=os.environ["SMTP_TLS"] == "tls",
    start_tls=False,
    tls_context=ssl.create_default_context(),
)


async def send():
    async with client:
        if os.environ["SMTP_TLS"] == "starttls":
            await client.starttls()
        mechanism, login = os.environ["SMTP_AUTH"], (os.environ["SMTP_USER"], os.environ["SMTP_KEY"])
        if mechanism:
            await client.ehlo()
            await getattr(client, "auth_" + mechanism.lower())(*login)
        elif login[0]:
            await client.login(*login)
        await client.send_message(message)


asyncio.run(send())
