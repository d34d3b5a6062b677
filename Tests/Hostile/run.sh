#!/usr/bin/env bash
# check-hostile: what attacks cost other customers, over both backends (NAMES="Deaf Queue" for some)
. "$(dirname "$0")/../lib.sh"
case ${1:-check-hostile} in
  check-hostile | hostile)
    install_packages python3 openssl iproute2 util-linux
    use_relay
    # shellcheck disable=SC2086 # NAMES are several words
    timeout -k 10 900 "$PYTHON" Tests/Hostile/run.py ${NAMES:-}
    ;;
  *) no_such_job ;;
esac
