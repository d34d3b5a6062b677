"""Runs after all other tests: no API key that any test used is in anything that any process wrote.

It searches standard output and standard error of every relay and sandbox of the run, killed ones
too, for keys as they are and as base64 shows them.
"""

import base64
import unittest

import harness


class NoKeyInAnyOutput(unittest.TestCase):
    def test_none_is_found(self):
        # A session of this file, so that there is something to find when it runs alone.
        relay = harness.Relay()
        key = harness.new_key()
        with relay.login(key) as client:
            client.sendmail("a@yourdomain.com", "b@example.com", b"Subject: s\r\n\r\nx\r\n")
        with relay.connect() as client:
            client.ehlo()
            # What a client sends where no key belongs is not logged either.
            for command in ("AUTH PLAIN %s" % base64.b64encode(b"\0x\0" + key.encode()).decode(),
                            "EHLO " + key, "MAIL FROM:<%s@b.test>" % key, key,
                            base64.b64encode(key.encode()).decode()):
                client.docmd(command)
        relay.stop()
        outputs = harness.all_outputs()
        self.assertGreater(len(outputs), 0)
        self.assertTrue(any(b"login-accepted" in output for _, output in outputs))
        for path, output in outputs:
            self.assertEqual(harness.find_keys(output, harness.all_keys()), [], path)

    def test_it_would_be_found(self):
        key = harness.new_key()
        for before in (b"", b"x", b"xy", b"xyz", b"\0postscale\0"):
            for behind in (b"", b"\r\n", b"abc"):
                text = before + key.encode() + behind
                self.assertEqual(harness.find_keys(b"log " + text + b" log", [key]), [key])
                self.assertEqual(harness.find_keys(base64.b64encode(text), [key]), [key])
        self.assertEqual(harness.find_keys(b"nothing", [key]), [])


if __name__ == "__main__":
    unittest.main()
