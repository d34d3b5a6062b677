#!/usr/bin/env bash
# check-slow: a thousand slow clients beside a normal load (SLOW_ROUNDS=7)
. "$(dirname "$0")/../lib.sh"
install_packages openssl
use_relay
use_perf
"$PYTHON" -m unittest discover -s Tests/Slow -v
