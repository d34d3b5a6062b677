"""A program of GTK that is started for each message and driven by its windows."""

import dataclasses
import time

from desktop import display, screen
from support import harness

START_SECONDS = 60
SEND_SECONDS = 60


def mailboxes(people):
    """As a person would type them."""

    def mailbox(name, address):
        return f'"{name}" <{address}>' if name else address

    return [mailbox(person["name"], person["address"]) for person in people]


@dataclasses.dataclass
class Shown:
    """What a program says about a message: in its dialogs, and in its log when asked."""

    dialogs: list = dataclasses.field(default_factory=list)
    log: str = ""


class Program:
    """`letters` are pairs of an account and of the message that it sends, counted from 1. A
    subclass defines how to `start` the program with one of them, which windows are the `composer`
    and the `main` one, how to `answer` the others, and when everything `is_attached`."""

    name = composer = main = ""

    def __init__(self, letters, ca):
        self.letters, self.ca = letters, ca

    def send(self, number, seconds=SEND_SECONDS):
        """What the program shows; no dialog if it has sent the message and closed its compose
        window."""
        account, given = self.letters[number - 1]
        self.desk = display.Desk(self.name, self.ca)
        self.screen = screen.Screen(self.desk)
        try:
            self.program = self.start(account, given)
            self.wait_for(self.composer)
            harness.wait_until(
                lambda: self.is_attached(given), START_SECONDS, "what shows that files are attached"
            )
            self.press(self.composer, "Send")
            return self._watch(account, seconds)
        except AssertionError as error:
            seen = [(w["name"], w["texts"], w["buttons"]) for w in self.screen.windows()]
            raise AssertionError(f"{error}\n{seen}\n{self.desk.log}") from error
        finally:
            self.screen.close()
            self.desk.end()

    def _watch(self, account, seconds):
        shown, before = Shown(), None
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            seen = self.screen.windows()
            others = [w for w in seen if not self.is_own(w) and any(w["texts"])]
            # Read when it is complete, that is, when it looks the same a second time.
            still, before = others == before, others
            if others and still:
                self.answer(others[-1], account, shown)
            if shown.dialogs or (not others and self._is_done(seen)):
                return shown
            time.sleep(0.1)
        raise AssertionError(f"neither sent nor refused: {shown}")

    def _is_done(self, seen):
        """Whether the compose window is closed, and with it the program if it has no other."""
        if not seen:
            return self.program.poll() == 0
        return not self.find(self.composer, seen)

    def is_attached(self, given):
        """Whether the open compose window has all files of the message."""
        return True

    def is_own(self, window):
        """Whether it is one of the permanent windows."""
        return window["name"].endswith(self.composer) or self.main in window["name"]

    def find(self, name, windows=None):
        seen = self.screen.windows() if windows is None else windows
        return next((w for w in seen if w["name"].endswith(name)), None)

    def wait_for(self, window):
        return harness.wait_until(
            lambda: self.find(window), START_SECONDS, f"the window '{window}'"
        )

    def wait_until_gone(self, window):
        harness.wait_until(
            lambda: not self.find(window), START_SECONDS, f"closing the window '{window}'"
        )

    def press(self, window, button):
        harness.wait_until(
            lambda: self.screen.press(window, button), START_SECONDS, f"{button} in '{window}'"
        )

    def end(self):
        """Nothing runs between two messages."""
