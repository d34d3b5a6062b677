import asyncio

from fastapi_mail import FastMail, MessageSchema, MessageType

exec(open("fastapi-mail").read())
message = MessageSchema(
    subject="Hello from FastAPI", recipients=["alerts@example.com"], body="Hello.",
    subtype=MessageType.plain)
asyncio.run(FastMail(config).send_message(message))  # noqa: F821 - the recipe's
