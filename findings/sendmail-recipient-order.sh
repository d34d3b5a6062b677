#!/usr/bin/env bash
# sendmail 8.17.1.9: a deferred message comes back in another order and with another SIZE.
#
# The first try names the recipients in the opposite order of the command line, and its SIZE counts
# the body and the headers that were handed over. Each run of the queue names them in the order of
# the command line, with a SIZE for all headers. The content is the same to the byte. Seen
# 2026-11-30:
#
#   first  MAIL From:<s@example.com> SIZE=52 ...   RCPT c, b, a  content bec7...  451
#   queue  MAIL From:<s@example.com> SIZE=305 ... RCPT a, b, c  content bec7...  451
#
# For a server: to see that a message comes again, compare its content and its set of recipients. Do
# not compare SIZE or the order of the recipients.
hoststatus=1s
. "$(dirname "$0")/sendmail.inc"

order() { sed -n 's/.* RCPT To:<\(.\)@.*/\1/p' "$1" | tr -d '\n'; }
size() { sed -n 's/.* SIZE=\([0-9]*\).*/\1/p' "$1"; }
content() { sed -n 's/.* content //p' "$1"; }

listen first .="451 later"
hand_over s@example.com a@example.net b@example.net c@example.net
for try in second third; do
  sleep 2
  listen $try .="451 later"
  # It goes into the background.
  /usr/libexec/sendmail/sendmail -Am -q
  within 10 "the end of the $try try" grep -q QUIT $try
done
[ "$(order first)" = cba ] || changed "the first try names the recipients as $(order first)"
for try in second third; do
  [ "$(order $try)" = abc ] || changed "the $try try names the recipients as $(order $try)"
  [ "$(size first)" -lt "$(size $try)" ] || changed "SIZE $(size first), then $(size $try)"
  [ "$(content first)" = "$(content $try)" ] || changed "the content of the $try try differs"
done
echo "SIZE $(size first), then $(size second)"
