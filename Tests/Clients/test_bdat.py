"""Programs that send by BDAT where CHUNKING is offered (RFC 3030): Exim always does, Jakarta Mail when it
is told to. A tap sees that they do. They also meet everything that the other tests of this folder ask
of each program; here are the sizes, and what Exim's queue makes of each refusal.
"""

import re
import unittest

import languages
import message
import mta
import support
from support import harness
from test_sendmails import QUEUE_SECONDS, SENDMAILS, composed, plain
from wiretap import Wiretap

EXIM = [client for client in SENDMAILS if client.name == "exim4"]
JAKARTA = [client for client in languages.LANGUAGES if client.name == "Jakarta Mail by BDAT"]
SIZES = (4_096, 1_048_576)


def chunks(heard):
    """Sizes of the chunks that a tap has heard."""
    return [int(size) for size in re.findall(rb"^BDAT ([0-9]+)(?: LAST)?\r$", bytes(heard), re.M)]


def text_of(size):
    """Lines of a message of this size."""
    line = "%07d " + "0123456789" * 7
    return [line % number for number in range(size // 80)]


class ChunkingTestCase(support.ClientTestCase):
    arguments = (
        "--max-failed-logins-per-address", "10000", "--max-failed-logins-per-prefix", "10000",
    )  # fmt: skip

    def by_bdat(self, heard, least):
        sizes = chunks(heard)
        self.assertGreaterEqual(sum(sizes), least)
        self.assertNotRegex(bytes(heard), rb"(?m)^DATA\r$")
        return sizes


@support.for_each(EXIM)
class Exim(ChunkingTestCase):
    def check_sizes_over_both_listeners(self, client):
        for encryption in ("starttls", "tls"):
            for size in SIZES:
                with self.subTest(encryption, size=size):
                    lines = text_of(size)
                    raw = plain("someone@example.com", "by BDAT").replace(
                        b"Hello.\n", "\n".join([".", "..", *lines, "QUIT", ""]).encode())
                    self.deliver(client, encryption, raw, size)
                    sent = self.sandbox.only_message()["text_body"].split()
                    self.assertEqual(sent, [".", "..", *" ".join(lines).split(), "QUIT"])

    def check_fifty_megabytes_over_both_listeners(self, client):
        given = message.write_large(support.new_folder("large"))
        for encryption in ("starttls", "tls"):
            with self.subTest(encryption):
                self.deliver(client, encryption, composed(given), 51_000_000, support.LARGE_SECONDS)
                message.check_large(self, self.sandbox, given)

    def deliver(self, client, encryption, raw, least, seconds=QUEUE_SECONDS):
        self.sandbox.clear()
        account = support.Account(self.relay, encryption)
        with Wiretap(account) as account.tap:
            run = mta.Run(client.name, client.files, account, {"message": raw})
            self.addCleanup(run.end)
            try:
                status, shown = run.submitted("message", seconds)
                self.assertEqual(status, 0, shown + run.log)
                harness.wait_until(self.sandbox.list, seconds, f"a message\n{run.log}\n")
            finally:
                run.end()
            sizes = self.by_bdat(account.tap.heard, least)
        print(f"\n{len(raw)} bytes, {encryption}: {len(sizes)} chunks, {sizes[:2]}…{sizes[-1:]} ", end="")


@support.for_each(JAKARTA)
class Jakarta(ChunkingTestCase):
    def check_its_chunks(self, client):
        for encryption in client.encryptions:
            with self.subTest(encryption):
                self.sandbox.clear()
                folder = support.new_folder(client.name)
                account = support.Account(self.relay, encryption)
                with Wiretap(account) as account.tap:
                    process = client.run(account, message.write(folder), folder)
                    self.assertEqual(process.returncode, 0, process.shown)
                    sizes = self.by_bdat(account.tap.heard, 2_000)
                    self.assertIn(b"\r\n..\r\n", bytes(account.tap.heard), "a dot, and one that it adds")
                message.check(self, self.sandbox, client.own_headers, client.limits)
                print(f"\n{encryption}: chunks of {sizes} ", end="")


if __name__ == "__main__":
    unittest.main()
