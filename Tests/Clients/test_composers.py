"""Each client sends the message with everything in it, end to end, compared leaf by leaf; logs in
with each mechanism that it has; sends a message of 50 MB; and does not log in to a server whose
certificate it cannot trust."""

import unittest

import composers
import languages
import message
import support
from wiretap import Wiretap


@support.for_each(composers.COMPOSERS + languages.LANGUAGES)
class Composers(support.ClientTestCase):
    def check_sends_everything(self, client):
        for encryption in client.encryptions:
            with self.subTest(encryption):
                self.sandbox.clear()
                folder = support.new_folder(client.name)
                account = support.Account(self.relay, encryption)
                self.succeed(client.run(account, message.write(folder), folder))
                seen = message.check(self, self.sandbox, client.own_headers, client.limits)
                support.note_encryption(client, encryption)
                support.note_leaves(client, seen)

    def check_logs_in_with_each_mechanism(self, client):
        for mechanism, offered in support.each_mechanism(client):
            with self.subTest(mechanism):
                self.sandbox.clear()
                folder = support.new_folder(client.name)
                account = support.Account(self.relay, client.encryptions[0], mechanism=mechanism)
                with Wiretap(account, offered=offered) as account.tap:
                    given = message.write(folder, rich=False)
                    self.succeed(client.run(account, given, folder))
                    self.assertEqual(account.tap.mechanisms, [mechanism])
                self.assertEqual(self.sandbox.only_message()["subject"], message.SUBJECT)
                support.note_mechanism(client, mechanism)

    def check_verifies_the_certificate(self, client):
        folder = support.new_folder(client.name)
        account = support.Account(self.relay, client.encryptions[-1])
        with Wiretap(account) as account.tap:
            account.tap.ca = self.relay.certificate  # This certificate is trusted; the tap's is not.
            process = client.run(account, message.write(folder, rich=False), folder)
            if "verification" in client.limits:
                self.assertEqual(process.returncode, 0, "it does verify")
                return support.note(client, "verifies", client.limits["verification"])
            self.assertNotEqual(process.returncode, 0, process.shown)
            self.assertEqual(account.tap.mechanisms, [])
        self.assertEqual(self.sandbox.list(), [])
        support.note(client, "verifies")

    def check_sends_fifty_megabytes(self, client):
        if "50 MB" in client.limits:
            return support.note(client, "50 MB", client.limits["50 MB"])
        folder = support.new_folder(client.name)
        given = message.write_large(folder, client.is_large_as_text)
        account = support.Account(self.relay, client.encryptions[-1])
        self.succeed(client.run(account, given, folder, support.LARGE_SECONDS))
        message.check_large(self, self.sandbox, given)
        support.note(client, "50 MB")


if __name__ == "__main__":
    unittest.main()
