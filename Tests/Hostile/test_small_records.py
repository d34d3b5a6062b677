"""A TLS 1.3 client that negotiates max_fragment_length (RFC 6066 4), as small devices do."""

import base64
import re
import unittest

from hostile import HEAD, harness, lines, over_both_backends
from test_tls import Tool


class SmallRecords:
    def test_records_of_512_bytes(self):
        """Login, replies of more than 512 bytes at once, and a whole message of 200 KB."""
        self.start()
        key = harness.new_key()
        plain = base64.b64encode(f"\0postscale\0{key}".encode())
        client = Tool("s_client", "-connect", f"127.0.0.1:{self.relay.tls_port}", "-servername",
                      "localhost", "-CAfile", self.relay.certificate, "-tls1_3", "-quiet",
                      "-maxfraglen", "512")
        self.addCleanup(client.close)
        client.expect(b"220 localhost ESMTP")
        client.send(b"EHLO small.test\r\nAUTH PLAIN " + plain + b"\r\n")
        client.expect(b"235 ")
        client.send(b"NOOP\r\n" * 90 + b"HELP\r\n")
        client.expect(b"\r\n214")
        client.send(b"MAIL FROM:<a@yourdomain.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n")
        client.expect(b"354 ")
        client.send(HEAD + lines(200_000) + b".\r\n")
        client.expect(b"250 Ok: queued as ")
        self.assertEqual([r.is_complete for r in self.api.messages(key)], [True])
        self.assertGreater(self.api.message_bytes(), 200_000)
        self.figure(f"max_fragment_length 512: {len(re.findall(b'250 ', client.output))} x 250")


over_both_backends(globals(), SmallRecords)

if __name__ == "__main__":
    unittest.main()
