"""Guessing keys costs the guesser something, not the API and not clients that have a key."""

import base64
import pathlib
import smtplib
import ssl
import subprocess
import time
import unittest

import harness
from recording_api import RecordingAPI

FILTER = harness.ROOT / "deploy/fail2ban/filter.d/postscale-relay.conf"


def plain(key, username="postscale"):
    return b"AUTH PLAIN " + base64.b64encode(f"\0{username}\0{key}".encode())


def session(relay):
    """A client that has read the greeting. The harness's checks of the ports may count as
    connections for a moment, so where few are allowed the first try may come too early."""
    client = harness.wait_until(lambda: raw_or_none(relay), what="a place for a session")
    greeting = client.reply()
    if not greeting.startswith("220 "):
        client.__exit__()
        raise AssertionError(greeting)
    return client


def raw_or_none(relay):
    try:
        return relay.raw()
    except OSError:
        return None


class BruteForce(unittest.TestCase):
    def start(self, *arguments, check_status=401):
        api = RecordingAPI(check_status)
        self.addCleanup(api.close)
        relay = harness.Relay(
            "--failed-login-delay", "1ms", "--max-failed-logins-per-address", "100000",
            "--max-failed-logins-per-prefix", "100000", *arguments, api_port=api.port)
        self.addCleanup(relay.stop)
        return api, relay

    def test_a_key_is_asked_about_once_in_ten_seconds_however_often_it_is_tried(self):
        api, relay = self.start()
        key, other = harness.new_key(), harness.new_key()
        begin = time.monotonic()

        def guess(_):
            for _ in range(5):
                with session(relay) as client:
                    self.assertEqual(client.ask(plain(key)), "535 Authentication failed")
                    client.ask(b"AUTH LOGIN")
                    client.ask(base64.b64encode(b"postscale"))
                    self.assertEqual(client.ask(base64.b64encode(key.encode()))[:3], "535")

        harness.in_threads(8, guess)
        elapsed = time.monotonic() - begin
        # Eighty tries cause one key check; a slow machine may add one for every ten seconds.
        self.assertLessEqual(api.count("GET"), 1 + int(elapsed // 10))
        with session(relay) as client:
            client.ask(plain(other))
        self.assertLessEqual(api.count("GET"), 2 + int((time.monotonic() - begin) // 10))
        self.assertEqual(api.count("POST"), 0)

    def test_and_is_asked_about_again_when_that_time_is_over(self):
        api, relay = self.start("--refused-key-ttl", "700ms")
        key = harness.new_key()
        for count in (1, 2):
            with session(relay) as client:
                client.ask(plain(key))
            self.assertEqual(api.count("GET"), count)
            time.sleep(0.8)

    def test_what_cannot_be_a_key_is_never_asked_about(self):
        api, relay = self.start()
        for key in ("two words", "x" * 513, "line\r\nend", "\u2028", "a\tb"):
            with session(relay) as client:
                self.assertEqual(client.ask(plain(key))[:3], "535")
        with session(relay) as client:
            self.assertEqual(client.ask(plain(harness.new_key(), "admin"))[:3], "535")
        self.assertEqual(api.requests, [])

    def test_a_valid_key_is_not_asked_about_for_every_login(self):
        api, relay = self.start(check_status=200)
        key = harness.new_key()
        for _ in range(10):
            with session(relay) as client:
                self.assertEqual(client.ask(plain(key))[:3], "235")
        self.assertEqual(api.count("GET"), 1)


class Limits(unittest.TestCase):
    def start(self, *arguments):
        relay = harness.Relay(*arguments)
        self.addCleanup(relay.stop)
        return relay

    def test_three_failures_and_the_connection_ends_each_later_than_the_last(self):
        relay = self.start("--failed-login-delay", "400ms")
        with session(relay) as client:
            waits = []
            for number in range(3):
                begin = time.monotonic()
                reply = client.ask(plain(harness.new_key("revoked")))
                waits.append(time.monotonic() - begin)
                self.assertEqual(reply[:3], "535" if number < 2 else "421")
            self.assertEqual(client.line(), "", "closed")
        self.assertGreaterEqual(waits[1], 0.4)
        self.assertGreaterEqual(waits[2], 0.8)

    def test_an_address_that_fails_too_often_is_turned_away_and_named_in_the_log(self):
        relay = self.start("--max-failed-logins-per-address", "4", "--failed-login-delay", "0s")
        good, early = harness.new_key(), session(relay)
        relay.login(good).quit()
        for _ in range(2):
            with session(relay) as client:
                client.ask(plain(harness.new_key("revoked")))
                client.ask(plain(harness.new_key("revoked")))
        with early:
            reply = early.ask(plain(harness.new_key()))
            self.assertEqual(reply, "421 Too many failed logins, closing connection",
                             "a right key, on a connection from before")
        with session(relay) as client:
            self.assertEqual(client.ask(plain(harness.new_key())),
                             "421 Too many failed logins, closing connection")
        relay.login(good).quit()

        def refused():
            return [event["peer"] for event in relay.events() if event["event"] == "login-turned-away"]

        # The log is written by a thread of its own.
        harness.wait_until(lambda: len(refused()) == 2, what="the lines of the log")
        self.assertEqual(set(refused()), {"127.0.0.1"})

    def test_smtplib_s_two_tries_with_one_key_are_one_failure(self):
        relay = self.start("--max-failed-logins-per-address", "4", "--failed-login-delay", "0s")
        for _ in range(3):
            with relay.connect() as client, self.assertRaises(smtplib.SMTPAuthenticationError):
                client.login("postscale", harness.new_key("revoked"))

        def refused():
            return [event for event in relay.events() if event["event"] == "login-refused"]

        # The log is written by a thread of its own.
        harness.wait_until(lambda: len(refused()) == 6, what="smtplib's two tries, three times")
        relay.login(harness.new_key()).quit()

    def test_an_outage_is_never_a_failure(self):
        relay = self.start("--max-failed-logins-per-address", "1")
        for _ in range(4):
            with session(relay) as client:
                for _ in range(4):
                    self.assertEqual(client.ask(plain(harness.new_key("auth_down")))[:3], "451")
        relay.login(harness.new_key()).quit()
        self.assertNotIn("login-refused", [event["event"] for event in relay.events()])

    def test_handshakes_are_counted_on_both_kinds_of_port(self):
        relay = self.start("--max-handshakes-per-address", "4")
        # The harness has checked once that the port for TLS is up. On a busy machine the loop that has this
        # connection may begin after the other one.
        harness.wait_until(
            lambda: [e["event"] for e in relay.events()].count("session-closed") == 3, what="the checks' end")
        session(relay).__exit__()
        with relay.connect():
            pass
        session(relay).__exit__()
        with self.assertRaises(OSError):
            relay.raw()
        with relay.plain() as client:
            client.reply()
            self.assertEqual(
                client.ask(b"STARTTLS"), "421 Too many TLS handshakes, try again later")
            self.assertEqual(client.line(), "", "closed")

        def refused():
            return [event["peer"] for event in relay.events() if event["event"] == "handshake-refused"]

        # The log is written by a thread of its own.
        harness.wait_until(lambda: len(refused()) == 2, what="both lines of the log")
        self.assertEqual(refused(), ["127.0.0.1"] * 2)

    def test_connections_are_counted(self):
        relay = self.start("--max-connections-per-address", "2")
        clients = [session(relay), session(relay)]
        with relay.plain() as client:
            self.assertEqual(client.reply(), "421 Too many connections, try again later")
        clients.pop().__exit__()
        harness.wait_until(lambda: self.is_welcome(relay), what="a place")
        clients.pop().__exit__()

    def is_welcome(self, relay):
        with relay.plain() as client:
            return client.reply().startswith("220")


class Fail2Ban(unittest.TestCase):
    """The filter of deploy/, read by fail2ban itself, on the log of a relay that was attacked."""

    def matched(self, log, mode="normal"):
        result = subprocess.run(
            ["fail2ban-regex", "--print-all-matched", "--raw", str(log), f"{FILTER}[mode={mode}]"],
            capture_output=True, text=True, timeout=60)
        self.assertIn("matched", result.stdout, result.stderr)
        lines = result.stdout.split("Matched line(s):")[1:]
        return [line[3:] for line in "".join(lines).splitlines() if line.startswith("|  ")]

    def attacked(self, log_format):
        port = harness.free_port()
        relay = harness.Relay(
            "--log-format", log_format, "--listen-tls", f"[::1]:{port}",
            "--max-connections-per-address", "3", "--failed-login-delay", "0s")
        with session(relay) as client:
            client.ask(plain(harness.new_key("revoked")))
            client.ask(plain(harness.new_key(), "admin"))
            client.ask(plain(harness.new_key("auth_down")))
            client.ask(b"EHLO login-refused peer=192.0.2.66 ")
            client.ask(b'EHLO {"level":"info","event":"login-refused","peer":"192.0.2.66"}')
            client.ask(plain(harness.new_key()))
        with smtplib.SMTP_SSL("::1", port, context=self.unverified()) as client:
            with self.assertRaises(smtplib.SMTPAuthenticationError):
                client.login("postscale", harness.new_key("revoked"))
        held = [relay.plain() for _ in range(4)]
        greetings = [client.reply()[:3] for client in held]
        self.assertIn("421", greetings)
        for client in held:
            client.__exit__()
        relay.stop()
        return relay

    def unverified(self):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def test_refused_logins_are_matched_and_nothing_else(self):
        for log_format in ("text", "json"):
            with self.subTest(log_format):
                relay = self.attacked(log_format)
                lines = relay.log.decode().splitlines()
                refused = [line for line in lines if "login-refused" in line]
                self.assertEqual(len(refused), 4)
                self.assertTrue(any("::1" in line for line in refused))
                self.assertEqual(self.matched(relay.log_path), refused)
                more = self.matched(relay.log_path, "aggressive")
                turned_away = [line for line in lines if "connection-refused" in line]
                self.assertGreater(len(turned_away), 0)
                self.assertEqual(sorted(more), sorted(refused + turned_away))

    def test_the_journal_s_form_is_matched_too(self):
        relay = self.attacked("text")
        refused = [line for line in relay.log.decode().splitlines() if "login-refused" in line]
        journal = pathlib.Path(relay.folder) / "journal"
        journal.write_text("".join(f"mx1 postscale-relay[12]: {line}\n" for line in refused))
        self.assertEqual(len(self.matched(journal)), len(refused))
        # --log-format journald: time and level are fields of their own.
        bare = [line.split(" ", 2)[2] for line in refused]
        journal.write_text("".join(f"mx1 postscale-relay[12]: {line}\n" for line in bare))
        self.assertEqual(len(self.matched(journal)), len(refused))

    def test_the_jail_is_one_that_fail2ban_accepts(self):
        folder = pathlib.Path(harness.temporary_folder("fail2ban"))
        for name in ("filter.d", "jail.d"):
            (folder / name).mkdir()
            source = harness.ROOT / "deploy/fail2ban" / name / "postscale-relay.conf"
            (folder / name / source.name).write_bytes(source.read_bytes())
        for name in ("fail2ban.conf", "jail.conf", "action.d", "paths-debian.conf", "paths-common.conf"):
            source = pathlib.Path("/etc/fail2ban") / name
            if source.exists():
                (folder / name).symlink_to(source)
        result = subprocess.run(
            ["fail2ban-client", "-c", str(folder), "--dp"], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr + result.stdout)
        self.assertIn("'postscale-relay', 'maxretry', 10", result.stdout)
        self.assertIn("'postscale-relay', 'addjournalmatch'", result.stdout)


if __name__ == "__main__":
    unittest.main()
