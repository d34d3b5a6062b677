#!/usr/bin/env bash
# Monit 5.33.0: with -v it writes the credentials of its login.
#
# `monit -v`, which is what one starts to find out why no alert arrives, prints the dialog with the mail
# server, AUTH PLAIN with username and password in base64 included; under -vv and without -I it goes to
# syslog. Without -v it prints the server's refusals only. Seen 2026-11-30:
#
#   SMTP -> AUTH PLAIN AHVzZXIAc2VjcmV0
#
# For a server whose passwords are keys: what a customer pastes into a ticket can hold the key; ask for
# another one.
packages="monit=1:5.33.0-1"
. "$(dirname "$0")/lib.sh"

mkdir -p /var/lib/monit
cat >monitrc <<'CONFIGURATION'
set daemon 5
set mailserver localhost port 2525 username "user" password "secret"
set alert a@example.net
check file probe with path /no/such/file
CONFIGURATION
chmod 600 monitrc
response=$(printf '\0user\0secret' | base64)
for verbose in "-v" ""; do
  listen "session$verbose" "extensions=AUTH PLAIN" "AUTH=235 welcome"
  # shellcheck disable=SC2086 # nothing, or one word
  timeout 20 monit -I $verbose -c monitrc >"log$verbose" 2>&1 &
  monit=$!
  within 15 "a message" grep -q content "session$verbose"
  kill "$monit"
  wait "$monit" || :
done
grep -qF "AUTH PLAIN $response" log-v || changed "-v does not print the credentials"
! grep -qF "$response" log || changed "it prints the credentials without -v, too"
