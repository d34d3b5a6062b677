"""What a screen reader sees and does (AT-SPI), for programs of GTK: run inside a desk by Debian's
Python, which has the bindings. One request in JSON on each line of standard input, one answer on
standard output:

["look"]                          the windows: name, role, texts, buttons, fields by role with
                                  the number of characters in each
["button", window, name]          where a button or a menu's entry is
["place", window, role, text]     where something is whose text begins so
["type", window, role, text]      puts text into the first field of that role

A window is known by the end of its name, where programs say what it is for.
"""

import json
import sys
import time

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib  # noqa: E402 - the version comes first

WINDOWS = ("frame", "dialog", "alert", "window")
PRESSED = ("push button", "menu item", "toggle button", "check box")
STILL_SECONDS = 0.1


def windows():
    desktop = Atspi.get_desktop(0)
    for index in range(desktop.get_child_count()):
        application = desktop.get_child_at_index(index)
        if application is None:
            continue
        for number in range(application.get_child_count()):
            window = application.get_child_at_index(number)
            if window is not None and window.get_role_name() in WINDOWS and showing(window):
                yield window


def showing(item):
    return item.get_state_set().contains(Atspi.StateType.SHOWING)


def inside(item):
    """Everything visible in a window, in the order of the screen."""
    for index in range(item.get_child_count()):
        child = item.get_child_at_index(index)
        if child is not None and showing(child):
            yield child
            yield from inside(child)


def text_of(item):
    if "Text" in item.get_interfaces():
        return Atspi.Text.get_text(item, 0, -1)
    return item.get_name() or ""


def editable(item):
    return "EditableText" in item.get_interfaces()


def typed(item):
    """The number of characters in it."""
    return Atspi.Text.get_character_count(item)


def look():
    return [described(window) for window in windows()]


def described(window):
    items = list(inside(window))
    return {
        "id": window.path,
        "name": window.get_name() or "",
        "role": window.get_role_name(),
        "texts": [text_of(i) for i in items if i.get_role_name() in ("label", "text", "info bar")],
        "buttons": [i.get_name() for i in items if i.get_role_name() in PRESSED],
        "fields": {i.get_role_name(): typed(i) for i in items if editable(i)},
    }


def find(name, wanted):
    for window in windows():
        if (window.get_name() or "").endswith(name):
            for item in inside(window):
                if wanted(item):
                    return item
    return None


def button(window, name):
    """Where to click, after it has stopped moving; null if it is not there or cannot be pressed.
    (An action through the bus is answered only after the dialogs that it opens are closed.)
    """
    item = find(window, lambda i: i.get_role_name() in PRESSED and i.get_name() == name)
    if not item or not item.get_state_set().contains(Atspi.StateType.SENSITIVE):
        return None
    return place_at_rest(item)


def place_of(window, role, text):
    """Where to click on something else, after it has stopped moving; null if it is not there."""
    item = find(window, lambda i: i.get_role_name() == role and text_of(i).startswith(text))
    return place_at_rest(item) if item else None


def place_at_rest(item):
    before = place(item)
    time.sleep(STILL_SECONDS)
    if place(item) != before:
        return None
    return before


def place(item):
    extents = Atspi.Component.get_extents(item, Atspi.CoordType.SCREEN)
    return extents.x + extents.width // 2, extents.y + extents.height // 2


def type_text(window, role, text):
    item = find(window, lambda i: i.get_role_name() == role and editable(i))
    return bool(item and Atspi.EditableText.set_text_contents(item, text))


def main():
    actions = {"look": look, "button": button, "place": place_of, "type": type_text}
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            answer = actions[name](*arguments)
        except GLib.Error as error:
            # A window that closes while we read it.
            answer = {"gone": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
