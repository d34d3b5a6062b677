#!/usr/bin/env bash
# check-simulate: the simulated network (SEEDS=2000 runs, from FIRST=1; SEED=7 shows one; COUNTING=1)
# check-simulate-asan: the same under AddressSanitizer and LeakSanitizer (SEEDS=10000)
# check-simulate-messages: runs until MESSAGES=1000000 were handed in, and their counts
# check-simulate-mutations: break the relay on purpose: does the simulation notice? (NAMES="group drain")
#
# The relay, its clients and the API run in one thread from one seed (docs/reliability.md), so
# ThreadSanitizer would have nothing to look at.
. "$(dirname "$0")/../lib.sh"
install_packages "${build_packages[@]}"

# build_simulation SCRATCH_FOLDER [OPTION OF SWIFT BUILD…]
build_simulation() {
  swift build -c release --scratch-path "$1" --product Simulate "${@:2}"
  simulate=("$1/release/Simulate")
}

# run_seeds COUNT
run_seeds() {
  "${simulate[@]}" check-balance
  "${simulate[@]}" sweep "${FIRST:-1}"
  "${simulate[@]}" pauses "${FIRST:-1}" 30
  "${simulate[@]}" absences "${FIRST:-1}" 30
  "${simulate[@]}" groups "${FIRST:-1}" 30
  "${simulate[@]}" returns "${FIRST:-1}" 30
  "${simulate[@]}" seeds "${FIRST:-1}" "$1"
}

case ${1:-simulate} in
  simulate)
    build_simulation .build-simulation
    if [ -n "${SEED:-}" ]; then
      "${simulate[@]}" "replay${COUNTING:+-counting}" "$SEED"
    else
      "$PYTHON" Tests/Simulation/mutations.py --check
      run_seeds "${SEEDS:-2000}"
    fi
    ;;
  simulate-asan)
    build_simulation .build-simulation-asan --sanitize=address
    simulate=(timeout -k 10 3600 Tests/Sanitizers/under.sh address "${simulate[@]}")
    unset RELAY_BINARY
    run_seeds "${SEEDS:-10000}"
    ;;
  simulate-messages)
    build_simulation .build-simulation
    nice -n 19 "${simulate[@]}" messages "${FIRST:-1}" "${MESSAGES:-1000000}"
    ;;
  simulate-mutations)
    # shellcheck disable=SC2086 # NAMES are several words
    nice -n 5 "$PYTHON" Tests/Simulation/mutations.py ${NAMES:-}
    ;;
  *) no_such_job ;;
esac
