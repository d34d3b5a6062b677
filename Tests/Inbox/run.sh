#!/usr/bin/env bash
# check-inbox: the sandbox's inbox page in Chromium; pictures in .build/inbox
. "$(dirname "$0")/../lib.sh"
install_packages chromium chromium-driver python3-selenium fonts-dejavu-core fonts-noto-color-emoji
use_relay
timeout -k 10 300 "$PYTHON" -m unittest discover -s Tests/Inbox -v
