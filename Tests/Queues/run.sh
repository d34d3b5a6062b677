#!/usr/bin/env bash
# check-queues: Postfix, Exim, OpenSMTPD and sendmail retry into the relay: copies, verdicts (root; NAMES="postfix Pages")
. "$(dirname "$0")/../lib.sh"
# The ledger's server: of Debian 12 Redis, of later ones Valkey. These packages start nothing.
tools=redis-tools
[ "$(. /etc/os-release && echo "${VERSION_ID:-}")" = 12 ] || tools=valkey-tools
install_packages python3 openssl util-linux "$tools"
use_relay
# shellcheck disable=SC2086 # NAMES are several words
timeout -k 10 480 "$PYTHON" Tests/Queues/run.py ${NAMES:-}
