#!/usr/bin/env bash
# check-asan: unit tests and dialogs under AddressSanitizer and LeakSanitizer (FILTER=)
# check-tsan: unit tests and dialogs under ThreadSanitizer (FILTER=)
# check-asan-e2e: end to end and faults, the relay under AddressSanitizer and LeakSanitizer (NAMES=)
# check-tsan-e2e: end to end and faults, the relay under ThreadSanitizer (NAMES=)
# check-sanitizers: these four and check-simulate-asan, for hours
#
# Each sanitizer has a scratch folder of its own, so a run never disturbs a normal build. Anything that
# a sanitizer reports of any process fails the run, leaks included; leaks.txt and races.txt name what
# is not ours. These checks take too long for CI.
. "$(dirname "$0")/../lib.sh"

# use_sanitizer address|thread
use_sanitizer() {
  under=(timeout -k 10 3600 Tests/Sanitizers/under.sh "$1")
  options=("--sanitize=$1" --scratch-path .build-asan)
  defines=()
  if [ "$1" = thread ]; then
    options=("--sanitize=$1" --scratch-path .build-tsan)
    # For Sources/Reactor/Loop/Locked.swift.
    defines=(-Xswiftc -DTHREAD_SANITIZER)
  fi
}

unit_tests_under() {
  use_sanitizer "$1"
  install_packages "${build_packages[@]}"
  unset RELAY_BINARY
  swift build "${options[@]}" "${defines[@]}" --build-tests --disable-xctest
  unit_tests swift test --skip-build --disable-xctest "${options[@]}"
}

# relay_tests_under SANITIZER CONFIGURATION
relay_tests_under() {
  use_sanitizer "$1"
  install_packages "${build_packages[@]}" "${test_packages[@]}"
  swift build "${options[@]}" "${defines[@]}" -c "$2" --product postscale-relay
  RELAY_BINARY=${options[2]}/$2/postscale-relay
  use_relay
  end_to_end_tests
  fault_tests
}

case ${1:-} in
  asan) unit_tests_under address ;;
  tsan) unit_tests_under thread ;;
  asan-e2e) relay_tests_under address release ;;
  # The debug build that check-tsan has made serves again: a second one takes long.
  tsan-e2e) relay_tests_under thread debug ;;
  sanitizers)
    Tests/Sanitizers/run.sh asan
    Tests/Sanitizers/run.sh asan-e2e
    Tests/Simulation/run.sh simulate-asan
    Tests/Sanitizers/run.sh tsan
    Tests/Sanitizers/run.sh tsan-e2e
    ;;
  *) no_such_job ;;
esac
