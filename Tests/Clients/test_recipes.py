"""The recipes of docs/recipes.md: each program sends with the lines of the page, shows its user (or does not
show) what a refusal says, and does not log in to a server whose certificate it cannot trust.

Some of them take a minute, because they wait for their time. So all runs of all programs go on side by
side, and the tests look at what came of each.
"""

import subprocess
import threading
import unittest

import recipes
import support
from support import harness

# Roots that are unpacked, and programs that run, at a time.
AT_ONCE = 8
SHOWN = {"suppressed": "All recipients suppressed", "refused": "Authentication failed"}


def authority(folder):
    """(certificate of an authority, certificate of the relay, its key): some programs accept no
    certificate that has signed itself."""
    paths = [str(folder / name) for name in ("ca.pem", "ca.key", "relay.pem", "relay.key")]
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subprocess.run(
        ["openssl", "req", "-x509", *new, "-subj", "/CN=recipes", "-addext", "keyUsage=critical,keyCertSign",
         "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
    subprocess.run(
        ["openssl", "req", "-x509", *new, "-subj", "/CN=localhost", "-CA", paths[0], "-CAkey", paths[1],
         "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=DNS:localhost",
         "-out", paths[2], "-keyout", paths[3]], check=True, capture_output=True)
    return paths[0], paths[2], paths[3]


@support.for_each(recipes.RECIPES)
class Recipes(support.ClientTestCase):
    @classmethod
    def setUpClass(cls):
        cls.trusted, certificate, key = authority(support.new_folder("authority"))
        # All clients are one address here, and some repeat a refused login.
        cls.arguments = (
            "--tls-cert", certificate, "--tls-key", key, "--max-failed-logins-per-address", "10000",
            "--max-failed-logins-per-prefix", "10000")
        super().setUpClass()
        cls.shown = {}
        room = threading.Semaphore(AT_ONCE)

        def run(recipe, what, *arguments):
            with room:
                try:
                    shown = recipe.run(cls.relay, *arguments)
                except Exception as error:  # noqa: BLE001 - the test of this recipe shows it
                    shown = f"could not be run: {error}"
                cls.shown[recipe.name, what] = shown

        threads = []
        # The slowest first.
        for recipe in sorted(cls.installed(), key=lambda recipe: -recipe.seconds):
            to = f"{recipe.name}@recipes.example"
            for what, arguments in (
                ("sent", (to, harness.new_key(), cls.trusted)),
                ("suppressed", ("suppressed@example.com", harness.new_key(), cls.trusted)),
                ("refused", (f"refused-{to}", harness.new_key("revoked"), cls.trusted)),
                ("untrusted", (f"untrusted-{to}", harness.new_key(), None)),
            ):  # fmt: skip
                threads.append(threading.Thread(target=run, args=(recipe, what, *arguments)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        cls.arrived = [
            cls.sandbox.message(listed["message_id"]) for listed in cls.sandbox.list()]

    def setUp(self):
        pass  # The sandbox keeps what has arrived.

    @classmethod
    def installed(cls):
        return [recipe for recipe in recipes.RECIPES if not recipe.missing()]

    def messages_to(self, address):
        return [sent for sent in self.arrived if any(address in to for to in sent["to"])]

    def check_sends(self, recipe):
        found = [
            sent for sent in self.messages_to(f"{recipe.name}@recipes.example")
            if "refused-" not in sent["to"][0] and "untrusted-" not in sent["to"][0]]
        self.assertTrue(found, self.shown[recipe.name, "sent"])
        for sent in found:
            self.assertIn("@yourdomain.com", sent["from"])
            self.assertNotEqual(sent["subject"], "(no subject)")
        support.note(recipe, "sends")

    def check_shows_refusals(self, recipe):
        for what, ours in SHOWN.items():
            with self.subTest(what):
                shown = self.shown[recipe.name, what]
                instead = recipe.instead.get(what, ours)
                self.assertIn(instead, shown)
                if instead == ours:
                    support.note(recipe, what)
                else:
                    self.assertNotIn(ours, shown, "it does show it")
                    support.note(recipe, what, f"shows '{instead}'" if instead else "shows nothing")
        self.assertEqual(self.messages_to(f"refused-{recipe.name}"), [])

    def check_verifies_the_certificate(self, recipe):
        found = self.messages_to(f"untrusted-{recipe.name}")
        self.assertEqual(bool(found), bool(recipe.verifies_not), self.shown[recipe.name, "untrusted"])
        support.note(recipe, "verifies", recipe.verifies_not or "yes")


if __name__ == "__main__":
    unittest.main()
