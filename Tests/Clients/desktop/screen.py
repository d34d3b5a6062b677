"""Reads the windows of a desk's programs as a screen reader does (accessibility.py), and answers
them."""

import json
import select
import subprocess

import support

ANSWER_SECONDS = 30
READER = support.HERE / "desktop" / "accessibility.py"


class Screen:
    def __init__(self, desk):
        self.desk = desk
        self.reader = desk.converse(["/usr/bin/python3", READER])

    def _ask(self, *request):
        self.reader.stdin.write(json.dumps(request).encode() + b"\n")
        self.reader.stdin.flush()
        ready, _, _ = select.select([self.reader.stdout], [], [], ANSWER_SECONDS)
        line = self.reader.stdout.readline() if ready else b""
        if not line:
            raise AssertionError(f"no answer to {request[:3]}")
        return json.loads(line)

    def windows(self):
        """The visible windows; none while one of them is just closing."""
        seen = self._ask("look")
        return seen if isinstance(seen, list) else []

    def press(self, window, button):
        """Clicks on a button with the mouse; false if it can't be pressed yet."""
        place = self._ask("button", window, button)
        if not isinstance(place, list):
            return False
        self.desk.run(["xdotool", "mousemove", *place, "click", 1])
        return True

    def press_right(self, window, role, text):
        """Opens the menu of something; false if it is not there yet."""
        place = self._ask("place", window, role, text)
        if not isinstance(place, list):
            return False
        self.desk.run(["xdotool", "mousemove", *place, "click", 3])
        return True

    def key(self, name):
        self.desk.run(["xdotool", "key", name])

    def type(self, window, role, text):
        return self._ask("type", window, role, text) is True

    def close(self):
        self.reader.stdin.close()
        try:
            self.reader.wait(ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            self.reader.kill()
            self.reader.wait()
        self.reader.stdout.close()
