"""Exim sends by BDAT where CHUNKING is offered, and by DATA elsewhere: all other tests of this folder see
it by BDAT. Between two tries it may change, and the ledger must know the message all the same.
"""

import os
import unittest

import queues
from queues import QueueTestCase, message
from servers import DEFERRED, SENT, SERVERS, harness, support

import prometheus_text

TO = "someone@example.com"
EXIM = [server for server in SERVERS if server.name == "exim4"]


@support.for_each(EXIM)
class Changes(QueueTestCase):
    def setUp(self):
        self.ledger = os.path.join(harness.temporary_folder("ledger"), "ledger.sqlite")
        super().setUp()

    def check_bdat_then_data(self, client):
        self.check(client, "BDAT, the 250 is lost, then DATA", [], ["--no-chunking"])

    def check_data_then_bdat(self, client):
        self.check(client, "DATA, the 250 is lost, then BDAT", ["--no-chunking"], [])

    def check(self, client, row, first, second):
        usual = list(self.relay.arguments)
        self.begin([*usual, *first])
        switch = self.new_switch(self.relay.port)

        def loses_once(call):
            if call.is_send and not self.api.copies:
                return self.api.accepted(call, before=switch.swallow)
            return None

        self.api.rules.append(loses_once)
        server = self.serve(client, switch.port)
        with self.noted(server, [TO], row):
            server.hand_over("mail", message("changes", size=20_000), queues.SENDER, [TO])
            self.has_tried(server, TO)
            self.spoke("data" if first else "bdat")
            self.begin([*usual, *second])
            self.settles(server, [TO], SENT)
            self.spoke("data" if second else "bdat")
            self.empties(server)
            self.one_copy_each([TO])
            self.assertEqual(server.verdicts(TO)[0], DEFERRED, server.account())

    def begin(self, arguments):
        self.relay.stop()
        self.relay.arguments = arguments
        self.relay.start()

    def spoke(self, verb):
        """Messages came in this way and in no other."""
        status, _, body = harness.SandboxClient(self.relay.admin_port).request("GET", "/metrics")
        self.assertEqual(status, 200)
        families = prometheus_text.parse(body)
        count = {
            each: sum(
                float(value)
                for family in families.values() if family.name.endswith("commands_total")
                for (_, labels), value in family.samples.items() if ("command", each) in labels)
            for each in ("data", "bdat")}  # fmt: skip
        self.assertGreater(count[verb], 0, count)
        self.assertEqual(sum(count.values()), count[verb], count)


if __name__ == "__main__":
    unittest.main()
