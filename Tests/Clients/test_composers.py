"""Each composer's message with everything in it, end to end, compared leaf by leaf."""

import unittest

import composers
import languages
import message
import support


@support.for_each(composers.COMPOSERS + languages.LANGUAGES)
class Composers(support.ClientTestCase):
    def check_sends_everything(self, client):
        for encryption in client.encryptions:
            with self.subTest(encryption):
                self.sandbox.clear()
                folder = support.new_folder(client.name)
                account = support.Account(self.relay, encryption)
                self.succeed(client.run(account, message.write(folder), folder))
                message.check(self, self.sandbox, client.own_headers, client.limits)
                support.note(client, encryption)


if __name__ == "__main__":
    unittest.main()
