#!/usr/bin/env bash
# OpenSMTPD 6.8.0p2: "delayed for more than 4 hours" comes after six tries, even within seconds.
#
# smtpd.conf(5) describes "bounce warn-interval" (4 hours by default) as a time in the queue, and
# the notice to the sender says so. Yet it goes out after the sixth try that gets a 4yz, however
# soon the tries follow each other: "smtpctl schedule all" counts as much as tries of its own. Seen
# 2026-11-30, 7 seconds after the submission:
#
#   MAIL FROM:<>   A message is delayed for more than 4 hours for the following list of recipients
#
# For a server: such a notice says nothing about how long the server refused a message; six replies
# of 4yz to a queue that is flushed by hand are enough.
. "$(dirname "$0")/opensmtpd.inc"

listen refused ".=451 later"
start <<'CONFIGURATION'
action "relay" relay host smtp+notls://localhost:2525 helo client.example.com
match from local for any action "relay"
CONFIGURATION
message s@example.com | sendmail -oi -f s@example.com a@example.net
handed_over=$SECONDS
tries() { grep -c 'to=<a@example.net>.*TempFail' log || :; }
for number in 1 2 3 4 5 6; do
  enough() { [ "$(tries)" -ge "$number" ]; }
  within 10 "try $number" enough
  if [ "$number" -lt 6 ]; then
    if grep -q 'from=<>' log; then changed "a notice after $number tries"; fi
    smtpctl schedule all >/dev/null
  fi
done
within 5 "the notice" grep -q 'from=<> to=<s@example.com>' log
took=$((SECONDS - handed_over))
[ $took -lt 40 ] || changed "the notice took $took s"
notice=$(grep -o 'evpid=[0-9a-f]* from=<> to' log | sed -n '1s/evpid=\([0-9a-f]*\).*/\1/p')
smtpctl show message "$notice" | grep 'delayed for more than 4 hours' ||
  changed "the notice has other words"
echo "after $took s"
