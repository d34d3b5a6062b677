"""A crowd of slow clients at every stage: crowd.py TLS_PORT STARTTLS_PORT COUNT SECONDS_A_BYTE KEY.

Each client is at one stage (a line before TLS, a handshake, a line after a login, DATA, QUIT) and
sends a byte now and then. A client that is closed comes back at once, so the crowd keeps its size.
Writes `ready` when all have reached their stage, and then, once per second, how many are connected
and how often a client was closed so far. Ends when its standard input ends.
"""

import asyncio
import base64
import random
import ssl
import sys

TLS_PORT, STARTTLS_PORT, COUNT = (int(text) for text in sys.argv[1:4])
PACE = float(sys.argv[4])
KEY = sys.argv[5]
STAGES = ("line before TLS", "handshake", "line", "DATA", "QUIT")

context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
connected = set()
arrived = set()
closed = 0
# So that a thousand handshakes of this program do not come at once.
door = asyncio.Semaphore(50)


def hello():
    outgoing = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


async def enter(stage):
    """A connection at its stage, and the bytes to send one by one."""
    if stage == "line before TLS":
        reader, writer = await asyncio.open_connection("127.0.0.1", STARTTLS_PORT)
        await reader.readline()
        return reader, writer, b"EHLO " + b"x" * 2_000
    if stage == "handshake":
        reader, writer = await asyncio.open_connection("127.0.0.1", TLS_PORT)
        return reader, writer, hello()
    reader, writer = await asyncio.open_connection("127.0.0.1", TLS_PORT, ssl=context)
    await reader.readline()
    plain = base64.b64encode(f"\0postscale\0{KEY}".encode())
    commands = [b"AUTH PLAIN " + plain]
    if stage == "DATA":
        commands += [b"MAIL FROM:<a@yourdomain.com>", b"RCPT TO:<b@example.com>", b"DATA"]
    for command in commands:
        writer.write(command + b"\r\n")
        answer = await reader.readline()
        if answer[:1] not in b"23":
            raise ConnectionError(answer)
    return reader, writer, {"line": b"MAIL FROM:<" + b"x" * 2_000, "QUIT": b"Q" * 2_000}.get(
        stage, b"Subject: slow\r\n\r\n" + b"x" * 10_000)


async def client(number):
    global closed
    while True:
        writer = None
        try:
            async with door:
                reader, writer, data = await enter(STAGES[number % len(STAGES)])
            connected.add(number)
            arrived.add(number)
            end = asyncio.ensure_future(reader.read())
            await asyncio.sleep(random.random() * PACE)
            for byte in data:
                writer.write(bytes([byte]))
                done, _ = await asyncio.wait([end], timeout=PACE)
                if done:
                    break
            end.cancel()
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
            await asyncio.sleep(0.1)
        finally:
            if number in connected:
                connected.discard(number)
                closed += 1
            if writer:
                writer.transport.abort()


async def report():
    while len(arrived) < COUNT:
        await asyncio.sleep(0.05)
    print("ready", flush=True)
    while True:
        await asyncio.sleep(1)
        print(len(connected), closed, flush=True)


async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)  # Connections that were closed while we wrote to them.
    standard_input = loop.run_in_executor(None, sys.stdin.read)
    tasks = [asyncio.ensure_future(client(number)) for number in range(COUNT)]
    tasks.append(asyncio.ensure_future(report()))
    await standard_input
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


asyncio.run(main())
