#!/usr/bin/env bash
# check-metrics: metrics, alerts and board against a real Prometheus
. "$(dirname "$0")/../lib.sh"
install_packages prometheus openssl
use_relay
timeout -k 10 300 "$PYTHON" -m unittest discover -s Tests/Metrics -v
