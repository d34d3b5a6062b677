"""What arrives at the API for a message that has everything."""

import email.utils
import unittest
from email.message import EmailMessage
from email.policy import SMTP

import harness

PICTURE = bytes(range(256)) * 40
DOCUMENT = b"%PDF-1.7\r\n" + bytes(range(255, -1, -1)) * 100


def everything():
    message = EmailMessage(policy=SMTP)
    message["Subject"] = "Grüße aus Zürich: 夏の便り 📬 " + "lang " * 30 + "Ende"
    message["From"] = email.utils.formataddr(("Zoë Müller, CEO", "zoe@yourdomain.com"))
    message["To"] = "日本 太郎 <taro@example.com>, plain@example.com"
    message["Cc"] = '"O\'Brien, Pat" <pat@example.com>'
    message["Bcc"] = "Hidden <hidden@example.com>"
    message["Reply-To"] = "replies@yourdomain.com"
    message["X-My-Header"] = "kept as it is"
    message["List-Unsubscribe"] = "<https://example.com/u?a=1&b=2>"
    message["X-Postscale-Tags"] = "welcome, onboarding, en"
    message["X-Postscale-Metadata"] = '{"user_id": "123", "campaign": "Frühling"}'
    message["X-Postscale-Unknown"] = "removed"
    message["Message-ID"] = "<1@client.test>"
    message["Date"] = email.utils.formatdate()
    message.set_content("Guten Tag,\n.\n..zwei Punkte\nTschüß 👋\n")
    message.add_alternative('<p>Hallo <img src="cid:logo@x"></p>\n', subtype="html")
    message.get_payload()[1].add_related(
        PICTURE, "image", "png", cid="<logo@x>", filename="logo.png", disposition="inline"
    )
    message.add_attachment(DOCUMENT, "application", "pdf", filename="Überblick 📎 2026.pdf")
    message.add_attachment("a,b\nä,ö\n", subtype="csv", filename="data.csv")
    return message


def addresses(texts):
    return [email.utils.parseaddr(text) for text in texts]


def alternative(*texts):
    """A message of one multipart/alternative; each text is a kind and its words."""
    parts = [f"--a\r\nContent-Type: text/{kind}\r\n\r\n{text}\r\n" for kind, text in texts]
    head = "From: a@yourdomain.com\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"
    return head + "".join(parts) + "--a--\r\n"


def words(count):
    return " ".join(f"word{number:07}" for number in range(count // 12))


class Mapping(harness.RelayTestCase):
    def send(self, message, **options):
        with self.relay.login(harness.new_key()) as client:
            client.send_message(message, **options)
        self.message_id = self.sandbox.list()[-1]["message_id"]
        return self.sandbox.message(self.message_id)

    def test_texts_that_replace_one_another(self):
        """What is in the request already is cut out while nothing has left, and stays afterwards."""
        short, middle, long = words(1_000), words(200_000), words(400_000)
        rows = [
            # The texts, and which of them arrives as text_body and as html_body.
            ([("plain", middle), ("html", short), ("plain", short)], 2, 1),
            ([("plain", short), ("html", long)], 0, 1),
            ([("plain", middle), ("html", short), ("plain", short), ("html", long)], 2, 3),
            ([("html", middle), ("plain", short), ("html", long), ("plain", middle)], 1, 2),
            ([("plain", long), ("html", short), ("plain", short)], 0, 1),
            ([("plain", middle)] * 30 + [("html", long)], 29, 30),
        ]
        for texts, plain, html in rows:
            with self.subTest([(kind, len(text)) for kind, text in texts]):
                with self.relay.login(harness.new_key()) as client:
                    client.sendmail("a@yourdomain.com", "b@example.com", alternative(*texts))
                sent = self.sandbox.message(self.sandbox.list()[-1]["message_id"])
                self.assertTrue(sent["text_body"] == texts[plain][1])
                self.assertTrue(sent["html_body"] == texts[html][1])

    def test_everything_arrives(self):
        sent = self.send(everything())
        self.assertEqual(sent["subject"], everything()["Subject"])
        self.assertEqual(
            addresses([sent["from"]]), [("Zoë Müller, CEO", "zoe@yourdomain.com")]
        )
        self.assertEqual(
            addresses(sent["to"]),
            [("日本 太郎", "taro@example.com"), ("", "plain@example.com")],
        )
        self.assertEqual(addresses(sent["cc"]), [("O'Brien, Pat", "pat@example.com")])
        self.assertEqual([a for _, a in addresses(sent["bcc"])], ["hidden@example.com"])
        self.assertEqual(
            sent["text_body"].replace("\r\n", "\n"),
            "Guten Tag,\n.\n..zwei Punkte\nTschüß 👋\n",
        )
        self.assertEqual(sent["html_body"].strip(), '<p>Hallo <img src="cid:logo@x"></p>')
        self.assertEqual(sent["tags"], ["welcome", "onboarding", "en"])
        self.assertEqual(sent["metadata"], {"user_id": "123", "campaign": "Frühling"})

    def test_attachments_arrive_byte_for_byte(self):
        sent = self.send(everything())
        names = [a["filename"] for a in sent["attachments"]]
        self.assertEqual(names, ["logo.png", "Überblick 📎 2026.pdf", "data.csv"])
        types = [a["content_type"] for a in sent["attachments"]]
        essences = [text.split(";")[0] for text in types]
        self.assertEqual(essences, ["image/png", "application/pdf", "text/csv"])
        self.assertEqual(sent["attachments"][0]["content_id"], "logo@x")
        self.assertNotIn("content_id", sent["attachments"][1])
        contents = [self.sandbox.attachment(self.message_id, n) for n in (1, 2, 3)]
        self.assertEqual(contents[0], PICTURE)
        self.assertEqual(contents[1], DOCUMENT)
        self.assertEqual(contents[2].replace(b"\r\n", b"\n"), "a,b\nä,ö\n".encode())

    def test_only_other_headers_are_passed(self):
        headers = {k.lower(): v for k, v in self.send(everything())["headers"].items()}
        self.assertEqual(headers["x-my-header"], "kept as it is")
        self.assertEqual(headers["reply-to"], "replies@yourdomain.com")
        self.assertEqual(headers["list-unsubscribe"], "<https://example.com/u?a=1&b=2>")
        self.assertEqual(set(headers), {"x-my-header", "reply-to", "list-unsubscribe"})

    def test_a_bcc_header_in_the_message_is_never_passed(self):
        raw = (
            b"From: a@yourdomain.com\r\nTo: b@example.com\r\nBcc: c@example.com\r\n"
            b"Bcc: never-sent-to@example.com\r\nSubject: s\r\n\r\nbody\r\n"
        )
        with self.relay.login(harness.new_key()) as client:
            client.sendmail("a@yourdomain.com", ["b@example.com", "c@example.com"], raw)
        text = self.sandbox.get("/sandbox/messages/" + self.sandbox.list()[0]["message_id"])
        self.assertNotIn(b"never-sent-to", text)
        sent = self.sandbox.only_message()
        self.assertEqual((sent["to"], sent["bcc"]), (["b@example.com"], ["c@example.com"]))

    def test_several_hidden_recipients_never_learn_of_each_other(self):
        raw = b"From: a@yourdomain.com\r\nSubject: s\r\n\r\nbody\r\n"
        hidden = ["b@example.com", "c@example.com", "d@example.com"]
        with self.relay.login(harness.new_key()) as client:
            client.sendmail("a@yourdomain.com", hidden, raw)
        found = [self.sandbox.message(m["message_id"]) for m in self.sandbox.list()]
        self.assertEqual(sorted(m["to"] for m in found), [[address] for address in hidden])
        self.assertFalse(any(m.get("cc") or m.get("bcc") for m in found))

    def test_a_hidden_group_retry_sends_only_what_is_missing(self):
        raw = b"From: a@yourdomain.com\r\nSubject: s\r\nMessage-ID: <g@x>\r\n\r\nbody\r\n"
        hidden = ["b@example.com", "c@flaky.test", "d@example.com"]
        key = harness.new_key()
        with self.relay.login(key) as client:
            with self.assertRaises(Exception) as raised:
                client.sendmail("a@yourdomain.com", hidden, raw)
            self.assertEqual(raised.exception.smtp_code, 451)
            client.sendmail("a@yourdomain.com", hidden, raw)
        sent = sorted(self.sandbox.message(m["message_id"])["to"][0] for m in self.sandbox.list())
        self.assertEqual(sent, sorted(hidden))

    def test_empty_subject_and_empty_body(self):
        with self.relay.login(harness.new_key()) as client:
            client.sendmail("a@yourdomain.com", "b@example.com", b"From: a@yourdomain.com\r\n\r\n")
        sent = self.sandbox.only_message()
        self.assertEqual((sent["subject"], sent["text_body"]), ("(no subject)", "\n"))

    def test_smtputf8_addresses(self):
        raw = "From: grün@yourdomain.com\r\nTo: 用户@example.com\r\nSubject: ü\r\n\r\nü\r\n"
        with self.relay.login(harness.new_key()) as client:
            client.sendmail(
                "grün@yourdomain.com", "用户@example.com", raw.encode(),
                mail_options=["SMTPUTF8", "BODY=8BITMIME"],
            )  # fmt: skip
        sent = self.sandbox.only_message()
        self.assertEqual(sent["from"], "grün@yourdomain.com")
        self.assertEqual(sent["to"], ["用户@example.com"])
        self.assertEqual((sent["subject"], sent["text_body"].strip()), ("ü", "ü"))

    def test_a_template_replaces_subject_and_bodies(self):
        raw = (
            b"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: s\r\n"
            b"X-Postscale-Template: welcome\r\n"
            b'X-Postscale-Variables: {"name": "Zo\xc3\xab", "n": 3}\r\n\r\nbody\r\n'
        )
        with self.relay.login(harness.new_key()) as client:
            client.sendmail("a@yourdomain.com", "b@example.com", raw)
        sent = self.sandbox.only_message()
        self.assertEqual(sent["template"], "welcome")
        self.assertEqual(sent["variables"], {"name": "Zoë", "n": 3})
        self.assertFalse({"subject", "text_body", "html_body"} & set(sent))


if __name__ == "__main__":
    unittest.main()
