"""Asks the relay what it makes of a message: one long-lived `postscale-relay explain`."""

import json
import os
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RELAY = os.environ.get("RELAY_BINARY", os.path.join(ROOT, ".build/release/postscale-relay"))


class Explainer:
    """`explain(bytes)` gives the line of JSON that `explain --json` prints, parsed strictly."""

    def __init__(self, *flags):
        self.folder = tempfile.TemporaryDirectory(prefix="explain-")
        self.file = os.path.join(self.folder.name, "message.eml")
        self.process = subprocess.Popen(
            [RELAY, "explain", "--json", "--files-from-input", *flags],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def explain(self, message):
        with open(self.file, "wb") as file:
            file.write(message)
        return self.explain_file(self.file)

    def explain_file(self, path):
        self.process.stdin.write(os.fsencode(path) + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the relay ended with status {self.process.wait()} on {path}")
        return json.loads(line.decode("utf-8", "strict"), object_pairs_hook=unique)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def unique(pairs):
    """An object of JSON; a key that comes twice is an error."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError(f"a key comes twice: {[key for key, _ in pairs]}")
    return result
