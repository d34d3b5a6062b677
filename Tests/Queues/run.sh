#!/usr/bin/env bash
# check-queues: Postfix, Exim, OpenSMTPD and sendmail retry into the relay: copies, verdicts (root; NAMES="postfix Pages")
. "$(dirname "$0")/../lib.sh"
install_packages python3 openssl util-linux
use_relay
# shellcheck disable=SC2086 # NAMES are several words
timeout -k 10 480 "$PYTHON" Tests/Queues/run.py ${NAMES:-}
