#!/usr/bin/env bash
# OpenSMTPD 6.8.0p2: one refused login keeps the mail of all logins from that server for 15 seconds
#
# A route is a pair of addresses. When AUTH gets a 451, OpenSMTPD disables the route. So messages of
# another action, which logs in at the same server with another name, are not tried: they are
# deferred with "Network error on destination MXs", although the network is well and the server
# would have taken them. "smtpctl schedule all" does not help. Seen 2026-11-30:
#
#   one: AUTH 451            Disabling route [] <-> 127.0.0.1 (localhost) for 15s
#   two: no connection       result="TempFail" stat="Network error on destination MXs"
#   two, after 15 s or more: sent
#
# For a server: a refused login delays the mail of other logins of the same OpenSMTPD, and its log
# blames the network.
. "$(dirname "$0")/opensmtpd.inc"

openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key -out certificate \
  2>/dev/null
cat key certificate >pair
printf 'one key1:secret\ntwo key2:secret\n' >/etc/secrets
chmod 640 /etc/secrets
chgrp opensmtpd /etc/secrets
start <<'CONFIGURATION'
table secrets file:/etc/secrets
action "one" relay host smtps://one@localhost:2525 auth <secrets> tls no-verify
action "two" relay host smtps://two@localhost:2525 auth <secrets> tls no-verify
match from local for domain "one.example" action "one"
match from local for domain "two.example" action "two"
CONFIGURATION
one=$(printf '\0key1\0secret' | base64)
listen refused tls=pair "AUTH PLAIN $one=451 4.7.0 not now"
send() { message s@example.com | sendmail -oi -f s@example.com "$1"; }
send a@one.example
within 20 "a refused login" grep -q "Disabling route .* for 15s" log
disabled=$SECONDS
send b@two.example
within 10 "the other's failure" grep -q 'to=<b@two.example>.*Network error on destination MXs' log
if grep -q "^2 " refused; then changed "the other login was tried"; fi
listen accepting tls=pair
sent() {
  sleep 1
  smtpctl schedule all >/dev/null
  grep -q 'to=<b@two.example>.*result="Ok"' log
}
within 25 "the other's message" sent
echo "sent $((SECONDS - disabled)) s after the refusal of another login"
[ $((SECONDS - disabled)) -ge 12 ] || changed "the route was used again sooner"
