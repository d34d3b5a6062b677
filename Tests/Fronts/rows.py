"""What is tried with each front end. A row gets a case (case.py) and returns what was seen and a
list of what must not be; the book of the case is checked after each.

A *refusal* is any reply to a message but 250. It is avoidable when the relay could have known that
the API did not act on the message: outcome `unavailable`, not `uncertain`. What a front end ends
while it has the whole request, nobody can know, so a restart may leave up to one uncertain message
for each client.
"""

import asyncio
import collections
import os
import time

from senders import LINE, Client, attachments, send_on

CLIENTS = 20
PAUSE_SECONDS = int(os.environ.get("PAUSE_SECONDS", "12"))
# A restart that takes longer is no restart any more.
AWAY_SECONDS_MAX = 8
MEGABYTE = 1_048_576


def tally(messages):
    """Replies and how often, the digits of ids left out."""
    counts = collections.Counter(
        "250" if message.is_accepted else message.reply for message in messages)
    return ", ".join(f"{count} × {reply}" for reply, count in counts.most_common())


def refused(messages):
    return [message for message in messages if not message.is_accepted]


def all_accepted(case):
    messages = case.book.messages
    return tally(messages), [tally(refused(messages))] if refused(messages) else []


def judged(case, uncertain_max):
    """No refusal that is avoidable; so many uncertain ones at most."""
    messages, outcomes = case.book.messages, case.outcomes()
    bad, faults = refused(messages), []
    uncertain = outcomes.get("uncertain", 0)
    if len(bad) > uncertain:
        faults.append(f"{len(bad) - uncertain} avoidable refusals: {tally(bad)}")
    if uncertain > uncertain_max:
        faults.append(f"{uncertain} uncertain, {uncertain_max} at most")
    if case.book.logins:
        faults.append(f"logins refused: {collections.Counter(case.book.logins)}")
    return f"{len(messages)} messages, {len(bad)} refused, {uncertain} uncertain", faults


async def idle(case):
    """Messages sent when the connections to the front end have been idle for its limit ± 0.1 s, in
    bursts: a thousand in all."""
    case.renew_relay()
    seconds = case.front.idle_seconds
    rounds = max(4, 35 // seconds)
    clients = [Client(case) for _ in range(1_000 // rounds + 1)]

    async def one(client, base):
        for turn in range(rounds + 1):
            await asyncio.sleep(base + turn * seconds + case.random.uniform(-0.1, 0.1)
                                - time.monotonic())
            await client.send()

    for start in range(0, len(clients), 50):
        await asyncio.gather(*[client.connect() for client in clients[start:start + 50]])
    base = time.monotonic() + 0.5
    await asyncio.gather(*[one(client, base) for client in clients])
    for client in clients:
        client.leave()
    return all_accepted(case)


async def connections(case):
    """Three thousand messages of two clients, one after the other: through the number of requests
    that a connection may carry."""
    case.set_delay(1)

    async def one():
        async with Client(case) as client:
            for _ in range(1_500):
                await client.send()

    start = time.monotonic()
    await asyncio.gather(one(), one())
    seen, faults = all_accepted(case)
    return f"{seen}, {3_000 / (time.monotonic() - start):.0f}/s", faults


async def under_load(case, events, gap=0.02):
    """Runs the clients, and beside them `events`, a coroutine; they end a second after it."""
    is_over = False
    senders = [
        asyncio.create_task(send_on(case, lambda: is_over, gap)) for _ in range(CLIENTS)]
    try:
        await events
        await asyncio.sleep(1)
    finally:
        is_over = True
        await asyncio.gather(*senders)


async def reload(case):
    """Two reloads under twenty clients."""
    async def events():
        for _ in range(2):
            await asyncio.sleep(1.5)
            await asyncio.to_thread(case.front.reload)
        await asyncio.sleep(1)

    await under_load(case, events())
    return judged(case, 2 * CLIENTS if case.http in case.front.breaks_at_reload else 0)


async def restart(case):
    """A stop as the unit file does it, a second of nothing, and a start, under twenty clients."""
    times = {}

    async def events():
        await asyncio.sleep(1.5)
        start = time.monotonic()
        await asyncio.to_thread(case.front.stop)
        await asyncio.sleep(1)
        case.front.start()
        await asyncio.to_thread(case.wait_for_front)
        times["away"] = time.monotonic() - start
        await asyncio.sleep(1)

    await under_load(case, events())
    seen, faults = judged(case, CLIENTS)
    if times["away"] > AWAY_SECONDS_MAX:
        # The machine was too slow for this row: the relay gives up after ten seconds.
        faults = []
    return f"{seen}; away for {times['away']:.1f} s", faults


async def backend(case):
    """The API behind the front end is killed and comes back two seconds later. While it is away,
    each message and a login are refused in the time that the front end takes for one answer."""
    faults, times = [], {}

    async def events():
        await asyncio.sleep(1)
        case.api.kill()
        times["down"] = time.monotonic()
        await asyncio.sleep(0.3)
        start = time.monotonic()
        await asyncio.to_thread(case.ask_front)
        times["answer"] = time.monotonic() - start
        start = time.monotonic()
        client = Client(case)
        answer = await client.connect()
        times["login"] = time.monotonic() - start
        client.leave()
        if not answer.startswith("451 "):
            faults.append(f"login while the API is away: {answer}")
        await asyncio.sleep(max(0, times["down"] + 2 - time.monotonic()))
        await asyncio.to_thread(case.start_api)
        times["up"] = time.monotonic()
        await asyncio.sleep(5)

    await under_load(case, events(), gap=0.1)
    messages = case.book.messages
    late = [m for m in messages if m.began and m.began > times["up"] + 4 and not m.is_accepted]
    if late:
        faults.append(f"refused 4 s after the API was back: {tally(late)}")
    slowest = max(m.seconds for m in messages)
    bound = times["answer"] + 1.5
    for what, seconds in (("login", times["login"]), ("message", slowest)):
        if seconds > bound:
            faults.append(f"a {what} took {seconds:.1f} s, the front end {times['answer']:.1f} s")
    return (f"{tally(messages)}; login {times['login']:.1f} s, slowest message {slowest:.1f} s, front end "
            f"{times['answer']:.1f} s"), faults


async def slow(case):
    """An API that takes three seconds."""
    async def one():
        async with Client(case, case.key("slow")) as client:
            await client.send()

    await asyncio.gather(*[one() for _ in range(CLIENTS)])
    return all_accepted(case)


async def limited(case):
    """A 429 with Retry-After of one second is waited for, one of an hour becomes 452."""
    async def one(behaviour):
        async with Client(case, case.key(behaviour)) as client:
            return await client.send()

    brief = await asyncio.gather(*[one("limited_brief_for_1") for _ in range(5)])
    long = await asyncio.gather(*[one("limited") for _ in range(5)])
    faults = []
    if refused(brief):
        faults.append(f"one second: {tally(brief)}")
    if min(message.seconds for message in brief) < 1:
        faults.append("Retry-After was not waited for")
    if not all(message.reply.startswith("452 ") for message in long):
        faults.append(f"one hour: {tally(long)}")
    return f"one second: {tally(brief)}; one hour: {tally(long)}", faults


def refuses_uploads(case, messages):
    """What is seen and wrong with a front end that takes no upload without Content-Length: all are
    451, and none is accepted."""
    at_api = case.book.accepted_by_api()
    faults = [message.reply for message in messages
              if message.reply != "451 API unavailable" or message.subject in at_api]
    return f"{tally(messages)}: it takes no upload over HTTP/{case.http}", faults


async def early(case):
    """Uploads that the API refuses after their heads; the messages after them are accepted."""
    async def large():
        async with Client(case, case.key("toolarge")) as client:
            return await client.send(b"\r\n" + LINE * (4 * MEGABYTE // len(LINE)))

    async def small():
        async with Client(case) as client:
            return await client.send()

    for _ in range(3):
        refusals = await asyncio.gather(*[large() for _ in range(4)])
        others = await asyncio.gather(*[small() for _ in range(8)])
        codes = {case.front.early_code.get(case.http, "552"), "552"}
        if case.http not in case.front.takes_uploads:
            codes.add("451")
        faults = [f"the upload: {message.reply}" for message in refusals if message.reply[:3] not in codes]
        at_api = case.book.accepted_by_api()
        faults += ["a refused upload is accepted" for each in refusals if each.subject in at_api]
        faults += [f"after it: {message.reply}" for message in refused(others)]
        faults += [f"after it: {m.seconds:.1f} s" for m in others if m.seconds > 3]
        if faults:
            break
    return tally(case.book.messages), faults


async def large(case):
    """Messages of 30 and of 49 MB."""
    case.set_delay(1)
    async with Client(case) as client:
        for size in (30, 49):
            await client.send(attachments(size * MEGABYTE))
    if case.http not in case.front.takes_uploads:
        return refuses_uploads(case, case.book.messages)
    seen, faults = all_accepted(case)
    seconds = ", ".join(f"{message.seconds:.1f} s" for message in case.book.messages)
    return f"{seen} ({seconds} after the dot)", faults


async def pauses(case):
    """Uploads whose clients pause, each at another place, for longer than some front ends hear nothing
    of an upload: they hear a byte every two seconds. Where a request must be whole by then, it is refused
    for the moment, and nothing of it is accepted."""
    lines = 2 * MEGABYTE // len(LINE)

    async def one(share):
        before = int(lines * share)
        async with Client(case) as client:
            await client.send([b"\r\n" + LINE * before, PAUSE_SECONDS, LINE * (lines - before)])

    await asyncio.gather(*[one(share / 10) for share in range(1, 10, 2)])
    if case.http not in case.front.takes_uploads:
        return refuses_uploads(case, case.book.messages)
    seen, faults = all_accepted(case)
    whole = case.front.whole_seconds.get(case.http)
    if whole and whole < PAUSE_SECONDS:
        at_api = case.book.accepted_by_api()
        faults = [message.reply for message in refused(case.book.messages)
                  if message.reply != "451 API unavailable" or message.subject in at_api]
        seen += f"; a request must be whole within {whole} s"
    return f"{PAUSE_SECONDS} s: {seen}", faults


async def abandoned(case):
    """Clients that leave in the middle of an upload: nothing of it is accepted, whatever the front
    end makes of what it has."""
    refusals = len(case.get("/sandbox/refusals")["refusals"])
    stats = case.get("/sandbox/stats")

    async def one(part):
        client = Client(case)
        await client.connect()
        message = case.book.message()
        await client.begin(message)
        client.writer.write(b"\r\n" + LINE * (part * MEGABYTE // 2 // len(LINE)))
        await client.writer.drain()
        await asyncio.sleep(0.5)
        client.writer.transport.abort()
        message.reply = "left"

    await asyncio.gather(*[one(part) for part in range(1, 7)])
    await asyncio.sleep(1.5)
    at_api = case.book.accepted_by_api()
    completed = case.get("/sandbox/refusals")["refusals"][: -refusals or None]
    after = case.get("/sandbox/stats")
    broken = after["incomplete"] - stats["incomplete"]
    faults = [f"accepted: {sorted(at_api)}"] if at_api else []
    return f"6 left: the API saw {broken} broken off, {len(completed)} completed", faults


async def fallback(case):
    """A front end that takes no upload without Content-Length over HTTP/2, and a relay that may choose:
    the first upload is refused for the moment, and whatever follows is accepted, over HTTP/1.1."""
    if case.http in case.front.takes_uploads:
        return "not needed", []
    case.renew_relay("auto")
    upload = b"\r\n" + LINE * (2 * MEGABYTE // len(LINE))
    async with Client(case) as client:
        first = await client.send(upload)
        others = [await client.send(text) for text in [upload, b"\r\n" + LINE] * 3]
    faults = [] if first.reply == "451 API unavailable" else [f"the first: {first.reply}"]
    faults += [f"after it: {message.reply}" for message in refused(others)]
    if [event["event"] for event in case.events()].count("api-address-http1") != 1:
        faults.append("the log does not say once that HTTP/1.1 is used")
    return f"the first: {first.reply}; after it: {tally(others)}", faults


ROWS = (idle, connections, reload, restart, backend, slow, limited, early, large, pauses, abandoned,
        fallback)
