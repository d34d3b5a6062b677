#!/usr/bin/env bash
# sendmail 8.17.1.9: after a refused login it goes on without one; the next reply decides.
#
# After 535 to AUTH sendmail sends MAIL in the same session. A 5yz to that MAIL (502 or 530: log in
# first) is a verdict on the message: sendmail returns it to its sender at once, and tries to send
# the notice of it over the same session, also without a login. After 451 to AUTH it sends QUIT and
# keeps the message. Seen 2026-11-30, the same with 502 and 530:
#
#   AUTH PLAIN    535      AUTH PLAIN  451
#   MAIL From:<s> 530      QUIT
#   RSET          250
#   MAIL From:<>  530
#   QUIT
#
# For a server: after a 535 the code of the next MAIL decides whether the message waits or is
# returned; a login that cannot be checked for the moment must get a 4yz.
hoststatus=1s
. "$(dirname "$0")/sendmail.inc"

for code in 502 530; do
  listen "refused $code" AUTH="535 5.7.8 no such key" MAIL="$code 5.7.0 log in first"
  hand_over s@example.com a@example.net
  expect "refused $code" "the session after 535 and $code" <<'SESSION'
1 EHLO client.example.com
1 AUTH PLAIN
1 MAIL From:<s@example.com>
1 RSET
1 MAIL From:<>
1 QUIT
SESSION
  if waits a@example.net; then changed "the message waits after 535 and $code"; fi
  sleep 2
done
listen later AUTH="451 4.7.0 not now" MAIL="530 5.7.0 log in first"
hand_over s@example.com a@example.net
expect later "the session after 451 at AUTH" <<'SESSION'
1 EHLO client.example.com
1 AUTH PLAIN
1 QUIT
SESSION
waits a@example.net || changed "the message does not wait after 451 at AUTH"
