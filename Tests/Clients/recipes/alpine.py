"""Types what a person would, and prints what the screen shows."""

import os
import pty
import re
import select
import time

KEY = "YOUR_API_KEY"
LINK = "mailto:alerts@example.com?subject=Hello%20from%20Alpine"
pid, screen = pty.fork()
if pid == 0:
    os.environ.update(TERM="vt100", LINES="24", COLUMNS="100")
    os.execvp("alpine", ["alpine", "-p", "/root/.pinerc", "-url", LINK])
seen = b""


def wait(*words, seconds=10):
    """Until the screen has shown one of these since the last call."""
    global seen
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([screen], [], [], 0.2)[0]:
            try:
                piece = os.read(screen, 65536)
            except OSError:
                return False
            seen += piece
            shown.append(piece)
        if any(word in seen for word in words):
            seen = b""
            return True
    return False


def keys(text):
    os.write(screen, text.encode())


shown = []
if wait(b"INBOX", b"folder", b"Subject", seconds=5):
    pass
for _ in range(3):
    if wait(b"Subject", seconds=2):
        break
    keys("\r")
keys("Hello.\r")
wait(b"Hello.", seconds=2)
keys("\x18")
wait(b"Send message", seconds=3)
keys("y")
if wait(b"Create?", b"PASSWORD", seconds=5):
    keys("y")
if wait(b"PASSWORD", seconds=8):
    keys(KEY + "\r")
if wait(b"Preserve", seconds=5):
    keys("n")
# Sent, or a refusal, or the key once more.
wait(b"sent", b"rror", b"PASSWORD", seconds=10)
wait(b"@@", seconds=2)
text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b.", b"", b"".join(shown))
text = bytes(byte if 32 <= byte < 127 else 32 for byte in text)
print(" ".join(text.replace(KEY.encode(), b"KEY").decode().split()))
os.close(screen)
