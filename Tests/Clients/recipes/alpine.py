"""Types what a person would, and prints what the screen shows.

It answers what is on the screen, however long that takes to come: beside other programs a second
may be too little for a prompt.
"""

import os
import pty
import re
import select
import time

KEY = "YOUR_API_KEY"
LINK = "mailto:alerts@example.com?subject=Hello%20from%20Alpine"
# After so long without anything new a person presses Return; when that has become too long, it goes away.
QUIET_SECONDS, END_SECONDS = 5, 60

pid, screen = pty.fork()
if pid == 0:
    os.environ.update(TERM="vt100", LINES="24", COLUMNS="100")
    os.execvp("alpine", ["alpine", "-p", "/root/.pinerc", "-url", LINK])

shown = []
# What the screen has shown since the last keys.
seen = b""
has_ended = False


def keys(text):
    global seen
    seen = b""
    os.write(screen, text.encode())


def read(seconds):
    """Whether the screen has shown more."""
    global seen, has_ended
    if not select.select([screen], [], [], seconds)[0]:
        return False
    try:
        piece = os.read(screen, 65536)
    except OSError:
        has_ended = True
        return False
    seen += piece
    shown.append(piece)
    return True


# Each is typed once, when its prompt has come.
PROMPTS = [
    (b"Message Text", "Hello.\r"),
    (b"Hello.", "\x18"),
    (b"Send message", "y"),
    (b"Create?", "y"),
    (b"PASSWORD", KEY + "\r"),
    (b"Preserve", "n"),
]
# What is shown at the end: a doubt about the certificate at any time; after the key that the message was
# sent, a refusal, or the wish for the key once more.
DOUBT = (b"certificate",)
ENDS = (b"sent", b"finished", b"rror", b"PASSWORD")
typed = set()
end = time.monotonic() + END_SECONDS
while time.monotonic() < end and not has_ended:
    is_new = read(QUIET_SECONDS)
    prompt = next((each for each in PROMPTS if each[0] in seen and each not in typed), None)
    if prompt:
        typed.add(prompt)
        keys(prompt[1])
    elif any(word in seen for word in (*DOUBT, *(ENDS if PROMPTS[4] in typed else ()))):
        while read(2):  # The rest of the line.
            pass
        break
    elif not is_new and PROMPTS[0] not in typed:
        keys("\r")
text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b.", b"", b"".join(shown))
text = bytes(byte if 32 <= byte < 127 else 32 for byte in text)
print(" ".join(text.replace(KEY.encode(), b"KEY").decode().split()))
os.close(screen)
