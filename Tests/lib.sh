# What the Makefile and every run.sh share: `. Tests/lib.sh`, from any folder of the repository.
#
# Ends the shell at the first command that fails, and goes to the repository's root. A run.sh begins
# with one line `# check-NAME: what it shows` for each of its jobs and gets the job's name as its
# first argument; `make check-NAME` finds the file by that line, and `make help` prints it.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# Debian's Python, which has Debian's modules; another python3 may come first in PATH.
PYTHON=${PYTHON:-/usr/bin/python3}
export SWIFT_BACKTRACE=${SWIFT_BACKTRACE:-enable=no}

# What building needs, and what the daily tests need besides.
build_packages=(libssl-dev liburing-dev libsqlite3-dev libhiredis-dev libidn2-dev libnghttp2-dev pkg-config)
test_packages=(python3 swaks curl openssl fail2ban groff zsh fish iproute2 redis-server)
# The front ends of check-fronts. apache2-bin is Apache without its service; those of the others are
# started by their packages where services may start, and the check does not use them.
fronts_packages=(
  nginx haproxy apache2-bin caddy lighttpd lighttpd-mod-openssl varnish hitch nghttp2-proxy h2o
)

# The tests that make loops: they run over epoll, then over io_uring.
socket_tests='ReactorTests|HTTPServerTests|APIClientTests|RelayTests|SandboxTests|PerfTests'
socket_tests+='|LedgerServerTests|LedgerFileTests'

# install_packages [OPTION OF APT-GET…] PACKAGE…: installs what is missing of Debian's packages, and says what
# to do where it may not.
install_packages() {
  local package run=() options=() missing=()
  for package in "$@"; do
    case $package in
      -*) options+=("$package") ;;
      *) [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] \
        || missing+=("$package") ;;
    esac
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null \
      || { echo "Please install as root: apt-get install ${missing[*]}" >&2; return 1; }
    run=(sudo)
  fi
  echo "Installing ${missing[*]}"
  # One look at the archive serves for an hour.
  [ -n "$(find /var/lib/apt/lists/partial -maxdepth 0 -mmin -60 2>/dev/null)" ] \
    || "${run[@]}" apt-get update -qq || return 1
  "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o DPkg::Lock::Timeout=600 \
    "${options[@]}" "${missing[@]}" >/dev/null
}

# python_packages NAME PACKAGE==VERSION…: these of PyPI, in the virtual environment .build/NAME. It is
# made again when other versions are asked for.
python_packages() {
  local folder=$root/.build/$1 pins=${*:2}
  [ "$(cat "$folder/installed" 2>/dev/null)" != "$pins" ] || return 0
  install_packages python3-venv && "$PYTHON" -m venv --clear "$folder" \
    && "$folder/bin/pip" install --quiet --disable-pip-version-check "${@:2}" \
    && echo "$pins" >"$folder/installed"
}

# clock SECONDS: as minutes and seconds.
clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

# step WORDS COMMAND…: runs it, and says what is done and for how long: on a terminal in one line that is
# written again each second, elsewhere in a line every 20 s. What the command says itself is shown when it
# fails. A command that is done at once leaves no line.
step() {
  local words=$1 begun=$SECONDS status=0 told=0 log job line
  shift
  log=$(mktemp)
  "$@" >"$log" 2>&1 &
  job=$!
  # shellcheck disable=SC2064 # these of now
  trap "kill $job 2>/dev/null; rm -f '$log'; exit 130" INT TERM
  sleep 0.3
  while kill -0 "$job" 2>/dev/null; do
    line="$words $(clock $((SECONDS - begun))) $(tail -n 1 "$log" | cut -c 1-60)"
    if [ -t 2 ]; then
      printf '\r\033[K%s' "$line" >&2
    elif [ $((SECONDS - begun)) -ge $((told * 20)) ]; then
      told=$((told + 1))
      echo "$line" >&2
    fi
    sleep 1
  done
  wait "$job" || status=$?
  trap - INT TERM
  [ ! -t 2 ] || printf '\r\033[K' >&2
  if [ "$status" != 0 ]; then
    cat "$log" >&2
    echo "$words: failed after $(clock $((SECONDS - begun)))" >&2
  elif [ $((SECONDS - begun)) -ge 2 ]; then
    echo "$words $(clock $((SECONDS - begun)))" >&2
  fi
  rm -f "$log"
  return "$status"
}

# parts TARGET…: makes these one after the other, says how long that takes, and ends with a line for each. The
# first that fails is the last.
parts() {
  local times=$root/.build/parts-$1 part begun status=0 number=0 lines=() all=$SECONDS
  if [ -s "$times" ]; then
    echo "This takes about $(clock "$(cat "$times")") minutes here, as it did the last time."
  else
    echo "This takes 10 to 30 minutes the first time, on two cores; half of that is compiling."
  fi
  for part in "$@"; do
    number=$((number + 1)) begun=$SECONDS
    echo "== $part ($number of $#), $(clock $((SECONDS - all))) since the start"
    "${MAKE:-make}" --no-print-directory "$part" || status=$?
    lines+=("$([ "$status" = 0 ] && echo passed || echo FAILED)" "$part" "$(clock $((SECONDS - begun)))")
    [ "$status" = 0 ] || break
  done
  echo
  printf '%s  %-14s %7s\n' "${lines[@]}"
  echo "$([ "$status" = 0 ] && echo "All of it" || echo "Until the failure") took $(clock $((SECONDS - all)))"
  [ "$status" != 0 ] || { mkdir -p "$root/.build" && echo $((SECONDS - all)) >"$times"; }
  return "$status"
}

# build_release PRODUCT: postscale-relay or relay-perf, in .build/release.
build_release() {
  step "Installing what building needs" install_packages "${build_packages[@]}"
  step "Building $1" swift build -c release --product "$1"
}

# Sets RELAY_BINARY to the release build, made now, unless the caller has named another relay.
use_relay() {
  if [ -z "${RELAY_BINARY:-}" ]; then
    build_release postscale-relay
    RELAY_BINARY=.build/release/postscale-relay
  fi
  RELAY_BINARY=$(realpath "$RELAY_BINARY")
  export RELAY_BINARY
}

# The same for PERF_BINARY; relay-perf measures the relay beside it.
use_perf() {
  [ -n "${PERF_BINARY:-}" ] || build_release relay-perf
  PERF_BINARY=$(realpath "${PERF_BINARY:-.build/release/relay-perf}")
  export PERF_BINARY
}

relay_version() {
  sed -n 's/.*current = "\(.*\)"/\1/p' "$(find Sources -name RelayVersion.swift)"
}

# Whether tests can run over io_uring here; says so.
io_uring_granted() {
  if "$PYTHON" Tests/EndToEnd/uring.py granted; then echo "Over io_uring too"; else
    echo "This kernel does not allow io_uring: its tests are skipped"
    return 1
  fi
}

# follow NAME COMMAND… [+ NAME COMMAND…]…: runs these side by side, the output in .build/tests/NAME.log, and
# shows what failed at the end (Tests/runs.py).
follow() { "$PYTHON" Tests/runs.py "$@"; }

# The three daily tests, with the command of the array `under` in front (Tests/Sanitizers/run.sh).
under=()

# The program of the unit tests that `swift build --build-tests` has made. Tests run without `swift test`, because a
# second one waits until the first has ended.
unit_tests_program() {
  echo "$(swift build --show-bin-path)"/*PackageTests.xctest
}

# unit_tests COMMAND…: the command runs all, or those of `--filter`. FILTER chooses some. In three parts at once:
# most tests wait, and each holds one of the few threads that Swift Testing has in one process.
unit_tests() {
  if [ ${#under[@]} != 0 ]; then
    unit_tests_in_turn "$@"
    return
  fi
  local tests=(env NO_COLOR=1 "$@") uring=() others=()
  local over=("${tests[@]}" --filter "${FILTER:-$socket_tests}")
  local epoll=("unit tests over epoll" env POSTSCALE_TEST_BACKEND=epoll "${over[@]}")
  if io_uring_granted; then
    uring=(+ "unit tests over io_uring" env POSTSCALE_TEST_BACKEND=io_uring "${over[@]}")
  fi
  [ -n "${FILTER:-}" ] || others=(+ "unit tests without loops" "${tests[@]}" --skip "$socket_tests")
  follow "${epoll[@]}" "${uring[@]}" "${others[@]}"
}

# unit_tests_in_turn COMMAND…: the same with `under`, which makes each test take long: one part follows the other,
# and each target is a part of its own. All tests of a part begin before the first one ends, so a part with all
# targets says nothing for long, and tests that give their thread away often wait for all the others each time.
unit_tests_in_turn() {
  local tests=("${under[@]}" env NO_COLOR=1 "$@") backends=(epoll) targets=("${FILTER:-}") backend target
  [ -n "${FILTER:-}" ] || IFS='|' read -ra targets <<<"$socket_tests"
  if io_uring_granted; then backends+=(io_uring); fi
  for backend in "${backends[@]}"; do
    for target in "${targets[@]}"; do
      follow "$target over $backend" env "POSTSCALE_TEST_BACKEND=$backend" "${tests[@]}" --filter "$target"
    done
  done
  [ -n "${FILTER:-}" ] || follow "unit tests without loops" "${tests[@]}" --skip "$socket_tests"
}

# end_to_end_tests [+ NAME COMMAND…]…: over both backends at once, the second time with HTTP/2 to the API, and
# beside these commands: the tests mostly wait.
end_to_end_tests() {
  local tests=("${under[@]}" "$PYTHON" Tests/EndToEnd/run.py) second=epoll
  if io_uring_granted; then second=io_uring; fi
  follow "end to end over epoll" env RELAY_ARGUMENTS="--backend epoll" "${tests[@]}" \
    + "end to end over $second with HTTP2" \
    env RELAY_API_HTTP=2 RELAY_ARGUMENTS="--backend $second" "${tests[@]}" "$@"
}

# NAMES chooses some of the faults, by parts of their names.
# shellcheck disable=SC2206 # they are several words
faults=("$PYTHON" Tests/Faults/run.py ${NAMES:-})

fault_tests() { follow "faults" "${under[@]}" "${faults[@]}"; }

# relay_tests RELAY_PERF: all daily tests of the built relay, side by side. Counts do not depend on what else runs.
relay_tests() {
  end_to_end_tests + "faults" timeout -k 10 900 "${faults[@]}" + "generated messages" Tests/Mime/run.sh mime \
    + "counts" "$1" gate --portable
}

# no_such_job: the end of each run.sh's list of jobs.
no_such_job() {
  echo "$0: one of: $(sed -n 's/^# check-\([a-z0-9-]*\): .*/\1/p' "$0" | xargs)" >&2
  exit 2
}
