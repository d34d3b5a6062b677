"""APIs that take few connections and close idle ones: what could be carried is carried."""

import random
import time
import unittest

import hostile
from certificates import Certificates
from crowd import Crowd, message_at_once
from hostile import harness, over_both_backends
from keyed_api import Line


class FewConnections:
    """The API takes four connections of a client's address, and resets more before the
    handshake."""

    def start_few(self):
        certificates = Certificates()
        self.api = self.make_api(
            tls=certificates.context(certificates.good), connections_max=4, seconds=lambda _: 0.2)
        self.relay = self.make_relay(
            "--api-ca", certificates.trusted, api_url=f"https://localhost:{self.api.port}")

    def test_forty_messages_at_once(self):
        """Four connections carry forty messages of 0.2 s in 2 s."""
        self.start_few()
        others = self.others()
        others.calm()
        key = harness.new_key()
        crowd = Crowd(self, self.relay, 40, message_at_once, key=key)
        crowd.settle(40)
        crowd.go()
        notes = crowd.finish(80, is_over=False)
        others.attacked(1)
        accepted = [seconds for reply, seconds in notes if reply.startswith("250 ")]
        others_replies = {reply for reply, _ in notes if not reply.startswith("250 ")}
        self.figure(f"forty messages at once, four connections: {len(accepted)} x 250 within "
                    f"{max(accepted, default=0):.1f} s, others {others_replies}, "
                    f"{self.api.resets} connections reset")
        self.assertEqual(len(accepted), 40, f"of forty messages at once; others {others_replies}")
        self.assertLess(max(accepted), 10, "2 s of work for four connections")
        others.check("forty messages of one key at once, four connections")


class IdleConnections:
    """The API closes idle connections, 50 ms away: no message meets the end of its connection."""

    def check(self, what, count, gaps, **api):
        """Some relays at a time, each with messages at these gaps of its own order."""
        self.api = self.make_api(**api)
        line = Line(self.api.port, 0.025)
        self.addCleanup(line.close)
        replies = []

        def send(relay, seed):
            source = random.Random(seed)
            with hostile.logged_in(relay, harness.new_key(), patience=60) as client:
                for _ in range(count):
                    replies.append(hostile.submit(client))
                    time.sleep(source.choice(gaps))

        relays = [self.make_relay(api_url=f"http://127.0.0.1:{line.port}") for _ in range(4)]
        harness.in_threads(len(relays), lambda index: send(relays[index], index))
        refused = [reply for reply in replies if not reply.startswith("250 ")]
        self.figure(f"{what}: {len(refused)} of {len(replies)} messages refused: {set(refused)}")
        self.assertEqual(len(refused), 0, f"{what}: refusals of {len(replies)} messages")


class ShortIdle(IdleConnections):
    def test_after_one_second_and_it_says_so(self):
        self.check("idle connections close after 1 s, Keep-Alive: timeout=1", 15,
                   [0.2, 0.94, 0.955, 0.96, 0.97, 0.98, 0.99, 1.01, 1.1, 1.3],
                   idle_seconds=1, says_idle=True)


class LongIdle(IdleConnections):
    def test_after_three_seconds_and_it_does_not_say_so(self):
        self.check("idle connections close after 3 s", 10,
                   [0.3, 2.94, 2.955, 2.96, 2.97, 2.98, 2.99, 3.01, 3.2], idle_seconds=3)


over_both_backends(globals(), FewConnections, ShortIdle, LongIdle)

if __name__ == "__main__":
    unittest.main()
