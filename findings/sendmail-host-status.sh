#!/usr/bin/env bash
# sendmail 8.17.1.9: a 451 after the dot stops all mail to the host; at MAIL or RCPT it stops none.
#
# A 4yz to the end of one message's content marks the server as down, in a file that all processes
# share (HostStatusDirectory, as Debian sets it), for Timeout.hoststatus (30 minutes unless set).
# Meanwhile other messages of other senders are deferred without a connection. The same reply to
# MAIL or RCPT concerns only its own message. Seen 2026-11-30:
#
#   451 at MAIL, then a server that takes everything: the next message is sent
#   451 at RCPT, the same:                            the next message is sent
#   451 after the dot, the same:                      no connection, "(Deferred)"
#
# For a server: a temporary refusal that concerns one sender or recipient belongs at MAIL or RCPT;
# after the dot it delays the mail of all users of that sendmail by half an hour.
hoststatus=30m
. "$(dirname "$0")/sendmail.inc"

for verb in MAIL RCPT .; do
  listen "first $verb" "$verb=451 4.7.1 too many for this sender"
  hand_over s@example.com a@example.net
  grep -q "^1 MAIL" "first $verb" || changed "the first message was not tried"
  listen "next $verb"
  hand_over other@example.org b@example.org
  if [ "$verb" = . ]; then
    [ ! -s "next $verb" ] || changed "after 451 to the dot the next message is tried"
    waits b@example.org || changed "the next message does not wait"
  else
    grep -q content "next $verb" || changed "after 451 to $verb the next message is not sent"
  fi
done
