"""The relay's job done the usual way, to compare with: aiosmtpd, email, httpx.

Takes mail over implicit TLS with AUTH, parses it with the standard library, and posts it as JSON to
the API. Started by `relay-perf compare`; it is no product.
"""

import argparse
import asyncio
import base64
import email
import email.policy
import email.utils
import ssl

import httpx
from aiosmtpd.smtp import SMTP, AuthResult

MESSAGE_BYTES_MAX = 60_000_000


class Gateway:
    def __init__(self, client):
        self.client = client

    async def handle_DATA(self, server, session, envelope):
        request = await asyncio.to_thread(build_request, envelope)
        key = session.auth_data.password.decode()
        try:
            response = await self.client.post(
                "/v1/send", json=request, headers={"Authorization": f"Bearer {key}"}
            )
        except httpx.HTTPError:
            return "451 API unavailable"
        if response.status_code != 202:
            return f"451 API answered {response.status_code}"
        return f"250 Queued as {response.json()['message_id']}"


def build_request(envelope):
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    request = {
        "from": str(message["From"]),
        "to": envelope.rcpt_tos,
        "subject": str(message["Subject"] or ""),
        "headers": {"Message-ID": str(message["Message-ID"])},
    }
    text = message.get_body(("plain",))
    html = message.get_body(("html",))
    if text is not None:
        request["text_body"] = text.get_content()
    if html is not None:
        request["html_body"] = html.get_content()
    attachments = [
        {
            "filename": part.get_filename() or "attachment",
            "content": base64.b64encode(part.get_content()).decode(),
            "content_type": part.get_content_type(),
        }
        for part in message.walk()
        if part.get_filename() and part.get_content_maintype() != "text"
    ]
    if attachments:
        request["attachments"] = attachments
    return request


def authenticate(server, session, envelope, mechanism, auth_data):
    return AuthResult(success=True, auth_data=auth_data)


async def serve(arguments):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(arguments.certificate, arguments.key)
    context.num_tickets = 0
    client = httpx.AsyncClient(
        base_url=arguments.api_url,
        verify=ssl.create_default_context(cafile=arguments.certificate),
        timeout=120,
        limits=httpx.Limits(max_connections=256, max_keepalive_connections=256),
    )

    def session():
        return SMTP(
            Gateway(client),
            hostname="localhost",
            data_size_limit=MESSAGE_BYTES_MAX,
            authenticator=authenticate,
            auth_required=True,
            auth_require_tls=False,
            timeout=120,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        session, "127.0.0.1", arguments.port, ssl=context, backlog=4096
    )
    await server.serve_forever()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--api-url", required=True)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
