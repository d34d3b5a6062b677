#!/usr/bin/env bash
# check-mime: generated messages, read by the relay and by Python's email (DIFFERENTIAL_CASES=, DIFFERENTIAL_SEED=); what is shown of generated trees (BODIES_CASES=, BODIES_SEED=); letters (LETTERS=folder)
# check-corpus: messages that others wrote, compared with other parsers' readings (DIR=../shared/corpus)
. "$(dirname "$0")/../lib.sh"
case ${1:-mime} in
  mime)
    install_packages python3-hypothesis
    use_relay
    cd Tests/Mime
    "$PYTHON" -m unittest -v test_letters test_bodies test_differential
    ;;
  corpus)
    use_relay
    mkdir -p .build
    "$PYTHON" Tests/Mime/score.py "${DIR:-../shared/corpus}" .build/corpus.jsonl
    ;;
  *) no_such_job ;;
esac
