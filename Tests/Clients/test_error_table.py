"""Each client against each row of the page's error table: the person sees our text."""

import unittest

import composers
import languages
import message
import support
from support import harness

TO = [("", "someone@example.com")]
SUPPRESSED = [("", "one@suppressed.test"), ("", "two@suppressed.test")]

# Row: (user, key's behaviour, recipients, headers, what must be shown).
ROWS = {
    "wrong user": ("someone", "", TO, {}, 'Invalid username, use "postscale"'),
    "key refused": ("postscale", "revoked", TO, {}, "Authentication failed"),
    "key cannot be checked": (
        "postscale", "auth_down", TO, {}, "Authentication service unavailable",
    ),
    "API unavailable": ("postscale", "down", TO, {}, "API unavailable"),
    "malformed": (
        "postscale", "", TO, {"X-Postscale-Metadata": '{"user_id": oops}'},
        "Failed to parse message: ",
    ),
    "rate limit": ("postscale", "limited", TO, {}, "Rate limit exceeded, try again later"),
    "suppressed": ("postscale", "", SUPPRESSED, {}, "All recipients suppressed"),
    "not logged in": ("", "", TO, {}, "Authentication required"),
}  # fmt: skip


@support.for_each(composers.COMPOSERS + languages.LANGUAGES)
class ErrorTable(support.ClientTestCase):
    # All clients come from one address, and many of their logins fail.
    arguments = (
        "--max-failed-logins-per-address", "1000", "--max-failed-logins-per-prefix", "1000",
    )  # fmt: skip

    def check_shows_each_error(self, client):
        for row, (user, behaviour, to, headers, text) in ROWS.items():
            with self.subTest(row):
                folder = support.new_folder(client.name)
                given = message.write(folder, rich=False, to=to, headers=headers)
                key = harness.new_key(behaviour)
                process = client.run(
                    support.Account(self.relay, user=user, key=key), given, folder
                )
                self.assertNotEqual(process.returncode, 0, process.shown)
                if row in client.hides:
                    # Where a client has an option to show more, our text must appear with that
                    # option.
                    account = support.Account(self.relay, user=user, key=key, verbose=True)
                    process = client.run(account, given, folder)
                self.assertNotIn(key, process.shown)
                if row not in client.mute:
                    self.assertIn(text, " ".join(process.shown.split()))
                why = client.hides.get(row) or client.mute.get(row)
                support.note(client, row, why or "yes")
        self.assertEqual(self.sandbox.list(), [], "refused, and yet sent")


if __name__ == "__main__":
    unittest.main()
