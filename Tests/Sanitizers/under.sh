#!/usr/bin/env bash
# Runs a command under a sanitizer: under.sh address|thread COMMAND ARGUMENT…
#
# Each process writes the sanitizer's reports to a file of its own, so no report is missed: neither
# that of a killed process nor that of a process whose exit status is ignored. All reports are
# printed at the end and fail the run, leaks included. SANITIZED tells tests that memory and time
# include the sanitizer's own.
set -uo pipefail

main() {
  local here kind=$1 status found
  here=$(cd "$(dirname "$0")" && pwd)
  shift
  if [ -n "${RELAY_BINARY:-}" ] && ! grep -q "__${kind:0:1}san_init" "$RELAY_BINARY"; then
    echo "$RELAY_BINARY is not built with --sanitize=$kind" >&2
    return 2
  fi
  reports=$(mktemp -d "${TMPDIR:-/tmp}/sanitizer-reports-XXXXXX")
  trap 'rm -rf "$reports"' EXIT
  # A relay that has given up root's rights writes there too.
  chmod 1777 "$reports"
  case $kind in
    address)
      export ASAN_OPTIONS="detect_leaks=1:log_path=$reports/report:${ASAN_OPTIONS:-}"
      export LSAN_OPTIONS="suppressions=$here/leaks.txt:print_suppressions=0:${LSAN_OPTIONS:-}"
      ;;
    thread)
      export TSAN_OPTIONS="suppressions=$here/races.txt:log_path=$reports/report:${TSAN_OPTIONS:-}"
      ;;
    *)
      echo "under.sh address|thread COMMAND ARGUMENT…" >&2
      return 2
      ;;
  esac
  export SANITIZED=$kind SWIFT_BACKTRACE=enable=no
  "$@"
  status=$?
  found=$(find "$reports" -type f | wc -l)
  if [ "$found" -gt 0 ]; then
    find "$reports" -type f -exec cat {} + >&2
    echo "$found processes were reported on by the sanitizer ($kind)" >&2
    return 1
  fi
  echo "The sanitizer ($kind) has reported nothing"
  return "$status"
}

main "$@"
