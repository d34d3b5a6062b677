#!/usr/bin/env bash
# check-fronts: nginx, HAProxy and six more in front of the API: nothing lost, doubled or refused (root; NAMES="nginx h2o")
# check-fronts-limits: measures the table of docs/api-fronts.md (root; NAMES="nginx h2o")
. "$(dirname "$0")/../lib.sh"
install_packages python3 openssl curl iproute2 util-linux
install_packages --no-install-recommends "${fronts_packages[@]}"
use_relay
case ${1:-fronts} in
  # shellcheck disable=SC2086 # NAMES are several words
  fronts) timeout -k 10 480 "$PYTHON" Tests/Fronts/run.py ${NAMES:-} "${@:2}" ;;
  fronts-limits)
    install_packages python3-h2
    # shellcheck disable=SC2086 # NAMES are several words
    timeout -k 10 600 "$PYTHON" Tests/Fronts/limits.py ${NAMES:-} "${@:2}"
    ;;
  *) no_such_job ;;
esac
