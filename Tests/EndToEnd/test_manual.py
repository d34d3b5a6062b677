"""The manual page and docs/configure.md hold everything that the program says about its flags."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

import harness

MANUAL = harness.ROOT / "deploy/man/manual.py"


def described():
    dump = subprocess.run(
        [harness.BINARY, "--experimental-dump-help"], capture_output=True, check=True).stdout
    return dump, {
        command["commandName"]: command for command in json.loads(dump)["command"]["subcommands"]}


def flags(command):
    """{name: default} of the flags of a command."""
    return {
        name["name"]: argument.get("defaultValue")
        for argument in command["arguments"] for name in argument.get("names", [])
        if name["kind"] == "long" and argument["shouldDisplay"]}


class Manual(unittest.TestCase):
    def setUp(self):
        self.dump, self.commands = described()
        self.page = subprocess.run(
            [sys.executable, MANUAL, "1.2.3"], input=self.dump, capture_output=True, check=True).stdout

    def test_every_flag_is_in_the_manual_with_its_default(self):
        text = self.page.decode().replace("\\-", "-")
        for name in ("run", "sandbox", "explain"):
            for flag, default in flags(self.commands[name]).items():
                self.assertIn(f"--{flag}\\fR", text)
                if default is not None:
                    self.assertIn(f"Default: {default}.", text)

    @unittest.skipUnless(shutil.which("groff"), "needs groff")
    def test_it_is_good_roff(self):
        run = subprocess.run(
            ["groff", "-man", "-ww", "-Tutf8"], input=self.page, capture_output=True, check=True)
        self.assertEqual(run.stderr.decode(), "")
        self.assertIn("postscale-relay 1.2.3", run.stdout.decode())

    def test_every_flag_is_in_configure_md_with_its_default(self):
        rows = {}
        for line in (harness.ROOT / "docs/configure.md").read_text().splitlines():
            # ReloadableFlagsTests compares the marks ↻ with the program.
            found = re.match(r"\| `--([a-z-]+)`(?: ↻)? \| ([^|]*) \|", line)
            if found:
                rows[found[1]] = found[2]
        wanted = flags(self.commands["run"])
        wanted.pop("help")
        self.assertEqual(sorted(rows), sorted(wanted))
        for flag, default in wanted.items():
            if default is not None:
                self.assertEqual(rows[flag], default, flag)


class Troubleshooting(unittest.TestCase):
    def test_every_reply_that_is_no_success_is_there(self):
        source = (harness.ROOT / "Sources/Wire/SMTP/ReplyTexts.swift").read_text()
        replies = re.findall(r'Reply\(\s*([2-5]\d\d), (?:nil|\([\d, ]+\)), "((?:[^"\\]|\\.)*)"', source)
        self.assertGreater(len(replies), 50)
        page = (harness.ROOT / "docs/troubleshoot.md").read_text()
        for code, text in replies:
            if code[0] in "45" and text:
                text = text.replace('\\"', '"').rstrip(": ")
                with self.subTest(code, text=text):
                    self.assertIn(f"`{code} {text}", page)


class Completions(unittest.TestCase):
    def test_they_are_made_and_their_shells_can_read_them(self):
        for shell in ("bash", "zsh", "fish"):
            script = subprocess.run(
                [harness.BINARY, "--generate-completion-script", shell],
                capture_output=True, check=True).stdout
            self.assertIn(b"proxy-from", script)
            if shutil.which(shell):
                path = pathlib.Path(harness.temporary_folder("completion")) / shell
                path.write_bytes(script)
                subprocess.run([shell, "-n", path], check=True, env=os.environ)


if __name__ == "__main__":
    unittest.main()
