"""An API for uvicorn and Hypercorn: it hands each request on to the sandbox, and the answer back, as
they come. $SANDBOX_PORT is where the sandbox listens."""

import asyncio
import os

SANDBOX_PORT = int(os.environ["SANDBOX_PORT"])
OF_CONNECTION = {b"connection", b"keep-alive", b"transfer-encoding", b"host"}


class Left(Exception):
    """The client has left in the middle of its request."""


async def upload(scope, receive, writer):
    headers = [(name, value) for name, value in scope["headers"] if name.lower() not in OF_CONNECTION]
    is_sized = any(name.lower() == b"content-length" for name, _ in headers)
    has_body = is_sized or scope["method"] != "GET"
    if has_body and not is_sized:
        headers.append((b"transfer-encoding", b"chunked"))
    target = scope["raw_path"].split(b"?")[0] + b"?" + scope["query_string"]
    lines = [scope["method"].encode() + b" " + target + b" HTTP/1.1", b"Host: 127.0.0.1", b"Connection: close"]
    lines += [name + b": " + value for name, value in headers]
    writer.write(b"\r\n".join(lines) + b"\r\n\r\n")
    while has_body:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise Left
        piece = event.get("body", b"")
        if piece:
            writer.write(piece if is_sized else b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
        if not event.get("more_body"):
            break
    if has_body and not is_sized:
        writer.write(b"0\r\n\r\n")
    await writer.drain()


async def answer(reader, send):
    status = 100
    while status < 200:
        lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[:-2]
        status = int(lines[0].split()[1])
    headers = [tuple(line.split(b": ", 1)) for line in lines[1:]]
    body = await reader.read()
    await send({"type": "http.response.start", "status": status, "headers": [
        (name.lower(), value) for name, value in headers if name.lower() not in OF_CONNECTION]})
    await send({"type": "http.response.body", "body": body})


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", SANDBOX_PORT)
    except OSError:
        await unavailable(send)
        return
    sending = asyncio.create_task(upload(scope, receive, writer))
    answering = asyncio.create_task(answer(reader, send))
    try:
        await asyncio.wait([sending, answering], return_when=asyncio.FIRST_COMPLETED)
        if sending.done() and isinstance(sending.exception(), Left):
            return
        # An answer before the end of the request goes out at once.
        await answering
    except (OSError, EOFError):
        await unavailable(send)
    finally:
        sending.cancel()
        answering.cancel()
        await asyncio.gather(sending, answering, return_exceptions=True)
        writer.close()


async def unavailable(send):
    await send({"type": "http.response.start", "status": 502, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
