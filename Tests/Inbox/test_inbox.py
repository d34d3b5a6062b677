"""The sandbox's inbox page in a real browser (Chromium, headless): `make check-inbox`.

Messages come through the relay, and are looked at as a person would see them arrive. Screenshots
are left in .build/inbox.
"""

import http.server
import pathlib
import smtplib
import struct
import sys
import threading
import time
import unittest
import zlib
from email.message import EmailMessage

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/EndToEnd"))
import harness  # noqa: E402

PICTURES = ROOT / ".build/inbox"


def png(side, color):
    """A square of one colour."""
    def chunk(kind, data):
        return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))
    rows = (b"\0" + color * side) * side
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack("!IIBBBBB", side, side, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class Tracker(http.server.BaseHTTPRequestHandler):
    """What a message would load from other servers, if it could."""

    hits = []

    def do_GET(self):
        self.hits.append(self.path)
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_):
        pass


def browser(is_dark=False):
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                     "--window-size=1280,800", "--hide-scrollbars"):
        options.add_argument(argument)
    if is_dark:
        options.add_argument("--force-dark-mode")
        options.add_argument("--blink-settings=preferredColorScheme=0")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)


class Inbox(harness.RelayTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tracker)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.server.shutdown)
        cls.driver = browser()
        cls.addClassCleanup(cls.driver.quit)
        PICTURES.mkdir(parents=True, exist_ok=True)

    def setUp(self):
        super().setUp()
        self.driver.get(f"http://127.0.0.1:{self.relay.sandbox_port}/")

    def tearDown(self):
        wrong = [entry for entry in self.driver.get_log("browser")
                 if entry["level"] == "SEVERE" and "/sandbox/chaos" not in entry["message"]
                 and "Content Security Policy" not in entry["message"]]
        self.assertEqual(wrong, [], "the browser's console")

    # What the tests do.

    def send(self, subject="Hello", html=True, key=None, to="bob@example.com"):
        message = EmailMessage()
        message["From"] = "Ann <ann@yourdomain.com>"
        message["To"] = to
        message["Subject"] = subject
        message["X-Postscale-Tags"] = "welcome,trial"
        message["X-Postscale-Metadata"] = '{"user_id": "42"}'
        message["X-Campaign"] = "spring"
        message.set_content(f"{subject}, as text.")
        if html:
            tracker = f"http://127.0.0.1:{self.server.server_port}/pixel.png"
            message.add_alternative(
                f"<h1>{subject}</h1><p>Some <b>HTML</b>. <img src='cid:logo' width=64></p>"
                f"<img src='{tracker}'><link rel=stylesheet href='{tracker}?css'>"
                "<script>document.body.textContent = 'a script ran'</script>"
                "<p id=end>The end.</p>", subtype="html")
            message.get_payload()[1].add_related(png(16, b"\xc6\x2d\x2d"), "image", "png", cid="<logo>")
        message.add_attachment(b"a,b\n1,2\n", maintype="text", subtype="csv", filename="größe.csv")
        with self.relay.login(key or harness.new_key()) as client:
            return client.send_message(message)

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def subjects(self):
        # In one query, because the page may change between two.
        return self.driver.execute_script(
            "return [...document.querySelectorAll('#list .subject')].map((e) => e.textContent)")

    def wait(self, condition, what):
        return harness.wait_until(condition, 10, what)

    def tab(self, name):
        self.find(f"#tabs [data-tab={name}]").click()
        return self.find("#panel")

    def picture(self, name):
        self.driver.save_screenshot(str(PICTURES / f"{name}.png"))

    def choose(self, subject):
        self.wait(lambda: subject in self.subjects(), f"{subject} in the list")
        self.all("#list button")[self.subjects().index(subject)].click()
        self.wait(lambda: self.find("#subject").text == subject, "the message")

    # The tests.

    def test_messages_come_by_themselves(self):
        self.assertIn("Nothing yet", self.find("#nothing").text)
        self.picture("empty")
        self.send("First")
        self.wait(lambda: self.subjects() == ["First"], "the first")
        self.send("Second <script>alert(1)</script>")
        self.wait(lambda: self.subjects() == ["Second <script>alert(1)</script>", "First"], "both")
        self.assertEqual(self.find("#count").text, "2")

    def test_one_message_in_all_its_views(self):
        self.send("Greetings \N{WAVING HAND SIGN}")
        self.choose("Greetings \N{WAVING HAND SIGN}")
        self.driver.switch_to.frame(self.find("#panel iframe"))
        self.assertEqual(self.find("h1").text, "Greetings \N{WAVING HAND SIGN}")
        self.assertEqual(self.find("#end").text, "The end.", "no script ran")
        image = self.find("p img")
        self.wait(lambda: image.get_property("naturalWidth") == 16, "the inline image")
        self.driver.switch_to.default_content()
        time.sleep(0.5)
        self.assertEqual(Tracker.hits, [], "nothing is loaded from elsewhere")
        self.picture("html")
        self.assertIn("as text.", self.tab("text").text)
        fields = self.tab("fields").text
        for part in ("X-Campaign spring", "welcome", "trial", "metadata: user_id 42"):
            self.assertIn(part, fields)
        self.picture("fields")
        attachments = self.tab("attachments").text
        self.assertIn("größe.csv text/csv 8 bytes", attachments)
        self.assertIn("inline: logo", attachments)
        self.assertIn('"subject": "Greetings', self.tab("json").text)
        answer = self.tab("answer").text
        self.assertTrue(answer.startswith("202\n"))
        self.assertIn('"status": "simulated"', answer)

    def test_search_delete_and_clear(self):
        for subject in ("Apples", "Pears", "Plums"):
            self.send(subject, html=False)
        self.wait(lambda: len(self.subjects()) == 3, "all")
        self.find("#search").send_keys("pEaRs, as text")
        self.wait(lambda: self.subjects() == ["Pears"], "what is found in the text")
        self.assertEqual(self.find("#count").text, "1 of 3")
        self.find("#search").clear()
        self.find("#search").send_keys(" ")
        self.wait(lambda: len(self.subjects()) == 3, "all again")
        self.choose("Plums")
        self.find("#delete").click()
        self.wait(lambda: self.subjects() == ["Pears", "Apples"], "the others")
        self.find("#clear").click()
        self.wait(lambda: self.subjects() == [], "none")
        self.assertEqual(self.sandbox.list(), [])

    def test_what_tests_delete_goes_from_the_page(self):
        self.send("Kept", html=False)
        self.send("Gone", html=False)
        self.wait(lambda: len(self.subjects()) == 2, "both")
        gone = self.sandbox.list()[1]["message_id"]
        self.assertEqual(self.sandbox.request("DELETE", f"/sandbox/messages/{gone}")[0], 200)
        self.wait(lambda: self.subjects() == ["Kept"], "the one that is left")

    def test_chaos_and_what_was_refused(self):
        self.find("#chaos-open").click()
        field = self.wait(lambda: self.all("#chaos-kinds input[name='429']"), "the fields")[0]
        field.clear()
        field.send_keys("100")
        self.find("#chaos button[type=submit]").click()
        self.wait(lambda: self.find("#chaos-sum").text == "100 %", "the sum")
        with self.assertRaises(smtplib.SMTPDataError) as refused:
            self.send("Too many")
        self.assertEqual(refused.exception.smtp_code, 452)
        self.find("#show-refusals").click()
        self.wait(lambda: self.find("#refused").text == "1", "the refusal")
        self.assertIn("rate_limit_exceeded", self.find("#refusals").text)
        self.picture("chaos")
        field.clear()
        field.send_keys("101")
        self.driver.execute_script("document.getElementById('chaos').noValidate = true")
        self.find("#chaos button[type=submit]").click()
        self.wait(lambda: "100 at most" in self.find("#chaos-error").text, "the error")
        self.find("#chaos-off").click()
        self.wait(lambda: self.find("#chaos-sum").text == "", "no chaos")
        self.send("Fine again", html=False)
        self.find("#show-messages").click()
        self.wait(lambda: self.subjects() == ["Fine again"], "the message")

    def test_a_picture_for_the_documents(self):
        """What README.md shows: .build/inbox/portrait.png, copied to docs/images/inbox.png by hand."""
        for subject in ("Password reset", "Your weekly report", "Invoice 2026-114"):
            self.send(subject, html=False)
        message = EmailMessage()
        message["From"] = "Acme <hello@yourdomain.com>"
        message["To"] = "Dana <dana@example.com>"
        message["Subject"] = "Welcome to Acme \N{PARTY POPPER}"
        message["X-Postscale-Tags"] = "welcome,onboarding"
        message.set_content("Welcome!")
        message.add_alternative(
            "<div style='font-family: sans-serif; max-width: 520px; margin: 24px auto'>"
            "<img src='cid:logo' width=48><h1 style='margin: 12px 0'>Welcome, Dana</h1>"
            "<p>Your account is ready. Three things to do first:</p><ol><li>Verify your domain</li>"
            "<li>Create an API key</li><li>Send a message</li></ol><p><a href='https://example.com' "
            "style='background: #2457c5; color: white; padding: 10px 18px; border-radius: 6px; "
            "text-decoration: none'>Get started</a></p></div>", subtype="html")
        message.get_payload()[1].add_related(png(16, b"\x24\x57\xc5"), "image", "png", cid="<logo>")
        message.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="guide.pdf")
        with self.relay.login(harness.new_key()) as client:
            client.send_message(message)
        self.choose("Welcome to Acme \N{PARTY POPPER}")
        self.wait(lambda: self.all("#panel iframe"), "its HTML")
        time.sleep(0.3)
        self.picture("portrait")

    def test_in_the_dark(self):
        self.send("Good night")
        driver = browser(is_dark=True)
        self.addCleanup(driver.quit)
        driver.get(f"http://127.0.0.1:{self.relay.sandbox_port}/")
        self.wait(lambda: driver.find_elements(By.CSS_SELECTOR, "#list button"), "the message")[0].click()
        self.wait(lambda: driver.find_elements(By.CSS_SELECTOR, "#panel iframe"), "its HTML")
        time.sleep(0.3)
        driver.save_screenshot(str(PICTURES / "dark.png"))

    def test_the_sandbox_goes_away(self):
        sandbox = harness.Sandbox()
        self.driver.get(f"http://127.0.0.1:{sandbox.port}/")
        self.wait(lambda: self.find("#live").text == "live", "the page")
        sandbox.stop()
        self.wait(lambda: "no answer" in self.find("#live").text, "the word of it")
        self.driver.get("about:blank")
        self.driver.get_log("browser")


if __name__ == "__main__":
    unittest.main()
