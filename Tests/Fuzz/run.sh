#!/usr/bin/env bash
# Fuzzes one target and says in one line how it went: run.sh TARGET SECONDS [FUZZER].
#
# Starts from the seeds of the repository and what earlier runs have found. Of a finding it prints
# what broke, where the input is kept and how to run it again, and it exits with 1.
set -uo pipefail
cd "$(dirname "$0")/../.."
target=$1
seconds=$2
fuzzer=${3:-.build-fuzz/release/Fuzz}
corpus=.build-fuzz/corpus/$target
findings=.build-fuzz/findings
log=.build-fuzz/$target.log
mkdir -p "$corpus" "$findings"

inputs=("$corpus" "Tests/Fuzz/Seeds/$target")
case $target in PartWalker | Mapper) inputs+=(Tests/Corpus) ;; esac
options=(-max_total_time="$seconds" -max_len=16384 -timeout=10 -print_final_stats=1)
options+=(-artifact_prefix="$findings/$target-")
dictionary=Tests/Fuzz/Dictionaries/$target.dict
[ -f "$dictionary" ] && options+=(-dict="$dictionary")

FUZZ_TARGET=$target timeout -k 10 $((seconds + 120)) \
  "$fuzzer" "${options[@]}" "${inputs[@]}" >"$log" 2>&1
status=$?
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
speed=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
if [ $status = 0 ]; then
  echo "$target: no finding in ${runs:-?} runs, ${speed:-?} a second"
  exit 0
fi
finding=$(sed -n 's/.*Test unit written to //p' "$log" | tail -1)
{
  echo "$target: FAILED with status $status, see $log"
  grep -m 3 -E 'Fatal error|^SUMMARY|ERROR: ' "$log" | sed 's/^/  /'
  [ -n "$finding" ] && echo "  the input: $finding" \
    && echo "  to run it again: make fuzz-replay TARGET=$target INPUT=$finding"
} >&2
exit 1
