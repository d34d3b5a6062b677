"""The remote control that Thunderbird ships with (Firefox's Marionette protocol, version 3).

A frame is the length in decimal, a colon and JSON: [0, id, command, parameters] to the program,
[1, id, error, result] from it. What is run is JavaScript in the program's own windows.
"""

import json
import socket


class ScriptError(Exception):
    """An exception of a script."""


class Marionette:
    def __init__(self, port, seconds=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self.file = self.socket.makefile("rb")
        self.count = 0
        self._receive()  # The program introduces itself.
        self.command("WebDriver:NewSession", {"capabilities": {}})
        self.command("Marionette:SetContext", {"value": "chrome"})

    def command(self, name, parameters):
        self.count += 1
        frame = json.dumps([0, self.count, name, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(frame), frame))
        _, _, error, result = self._receive()
        if error:
            raise ScriptError(f"{error['error']}: {error['message']}")
        return result

    def _receive(self):
        length = b""
        while not length.endswith(b":"):
            byte = self.file.read(1)
            if not byte:
                raise ScriptError("the program closed its remote control")
            length += byte
        return json.loads(self.file.read(int(length[:-1])))

    def script(self, script, *arguments):
        """Runs the body of a function, whose `arguments` are given; returns what it returns."""
        parameters = {"script": script, "args": list(arguments), "newSandbox": True}
        result = self.command("WebDriver:ExecuteScript", parameters)
        return result["value"] if isinstance(result, dict) and "value" in result else result

    def close(self):
        self.file.close()
        self.socket.close()
