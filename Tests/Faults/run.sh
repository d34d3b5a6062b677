#!/usr/bin/env bash
# check-soak: load, faults, slow and vanishing clients at once, for a time (MINUTES=30)
# check-soak-kill: kill the relay under load, then with groups of hidden recipients too (ROUNDS=100 of each)
# (`make test-faults` runs this folder's tests.)
. "$(dirname "$0")/../lib.sh"
install_packages openssl
case ${1:-} in
  soak)
    use_relay
    "$PYTHON" Tests/Faults/soak.py "${MINUTES:-30}"
    ;;
  soak-kill)
    use_relay
    "$PYTHON" Tests/Faults/soak_kill.py "${ROUNDS:-100}"
    "$PYTHON" Tests/Queues/group_kills.py "${ROUNDS:-100}"
    ;;
  *) no_such_job ;;
esac
