#!/usr/bin/env bash
# check-perf-compare: measure the relay and its peers in turns (ARGS="--rounds 5")
# check-perf-peers: install the servers that perf-compare measures (Debian packages)
# perf-compare leaves out what is not installed.
. "$(dirname "$0")/../../Tests/lib.sh"
case ${1:-perf-compare} in
  perf-peers)
    install_packages haproxy nginx libnginx-mod-mail postfix dovecot-core python3-aiosmtpd \
      python3-httpx openssl
    ;;
  perf-compare)
    use_relay
    use_perf
    "$PERF_BINARY" compare --output "${PERF_RESULTS:-.build/perf.jsonl}" "${@:2}"
    ;;
  *) no_such_job ;;
esac
