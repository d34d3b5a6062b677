#!/usr/bin/env bash
# check-fleet: two relays behind HAProxy in network namespaces: one killed, one drained (root)
. "$(dirname "$0")/../lib.sh"
install_packages haproxy iproute2 openssl
use_relay
timeout -k 10 300 "$PYTHON" -m unittest discover -s Tests/Fleet -v
