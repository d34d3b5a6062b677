#!/usr/bin/env bash
# check-fuzz: fuzz one target (TARGET=DotReader SECONDS_EACH=60)
# check-fuzz-smoke: every fuzz target for some seconds (SECONDS_EACH=20)
# check-fuzz-replay: run one input again (TARGET=Mapper INPUT=path)
#
# A run starts from the seeds of the repository and from what earlier runs have found. It says in one
# line how it went. Of a finding it prints what broke, where the input is kept and how to run it again,
# and it exits with 1.
. "$(dirname "$0")/../lib.sh"
fuzzer=.build-fuzz/release/Fuzz
findings=.build-fuzz/findings

targets() { grep -oh 'name: "[A-Za-z0-9]*"' Tests/Fuzz/*Targets.swift | cut -d'"' -f2; }

build_fuzzer() {
  install_packages "${build_packages[@]}"
  swift build -c release --scratch-path .build-fuzz --product Fuzz \
    -Xswiftc -sanitize=fuzzer,address -Xswiftc -DFUZZING -Xswiftc -use-ld=lld
}

# fuzz_one TARGET SECONDS
fuzz_one() {
  local target=$1 seconds=$2 status=0 finding runs speed
  local corpus=.build-fuzz/corpus/$target log=.build-fuzz/$target.log
  local dictionary=Tests/Fuzz/Dictionaries/$target.dict
  mkdir -p "$corpus" "$findings"
  local inputs=("$corpus" "Tests/Fuzz/Seeds/$target")
  case $target in PartWalker | Mapper) inputs+=(Tests/Corpus) ;; esac
  local options=(-max_total_time="$seconds" -max_len=16384 -timeout=10 -print_final_stats=1)
  options+=(-artifact_prefix="$findings/$target-")
  [ ! -f "$dictionary" ] || options+=(-dict="$dictionary")

  FUZZ_TARGET=$target timeout -k 10 $((seconds + 120)) \
    "$fuzzer" "${options[@]}" "${inputs[@]}" >"$log" 2>&1 || status=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  speed=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
  if [ "$status" = 0 ]; then
    echo "$target: no finding in ${runs:-?} runs, ${speed:-?} per second"
    return 0
  fi
  finding=$(sed -n 's/.*Test unit written to //p' "$log" | tail -1)
  {
    echo "$target: FAILED with status $status, see $log"
    grep -m 3 -E 'Fatal error|^SUMMARY|ERROR: ' "$log" | sed 's/^/  /' || true
    [ -z "$finding" ] || echo "  the input: $finding"
    [ -z "$finding" ] || echo "  to run it again: make fuzz-replay TARGET=$target INPUT=$finding"
  } >&2
  return 1
}

case ${1:-fuzz-smoke} in
  fuzz)
    : "${TARGET:?please give a target: $(targets | xargs)}"
    build_fuzzer
    fuzz_one "$TARGET" "${SECONDS_EACH:-60}"
    ;;
  fuzz-smoke)
    # Two at a time; the status is that of the worst.
    build_fuzzer
    targets | xargs -P 2 -I{} Tests/Fuzz/run.sh one {} "${SECONDS_EACH:-20}"
    ;;
  fuzz-replay)
    build_fuzzer
    FUZZ_TARGET=${TARGET:?} "$fuzzer" "${INPUT:?}"
    ;;
  one) fuzz_one "$2" "$3" ;;
  *) no_such_job ;;
esac
