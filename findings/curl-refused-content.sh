#!/usr/bin/env bash
# curl and libcurl 7.88.1: a refused message is a "Weird server reply".
#
# A refusal of AUTH, MAIL or RCPT has an error of its own, the latter two with the server's code. Any
# refusal of the content is CURLE_WEIRD_SERVER_REPLY (8), which the manual explains as a reply that curl
# could not parse: 550 and 451 look alike, and neither code nor text is shown without -v. Programs that
# send by libcurl (Zabbix) show the same words. Seen 2026-11-30:
#
#   535 to AUTH:         (67) Login denied
#   550 to RCPT:         (55) RCPT failed: 550
#   550 to the content:  (8) Weird server reply
#   451 to the content:  (8) Weird server reply
#
# For a server: refuse at RCPT what can be refused there; for a user of curl, "weird" is a plain no.
packages="curl=7.88.1-10+deb12u15 libcurl4=7.88.1-10+deb12u15 libnghttp2-14=1.52.0-1+deb12u3
  libpsl5=0.21.2-1 librtmp1=2.4+20151223.gitfa8646d.1-2+b2 libssh2-1=1.10.0-3+deb12u1
  libldap-2.5-0=2.5.13+dfsg-5 libsasl2-2=2.1.28+dfsg-10+deb12u1 libbrotli1=1.0.9-2+deb12u1"
. "$(dirname "$0")/lib.sh"

message s@example.com >content
try() {
  listen "${1%% *}-$2" "$2=$1"
  printf '%s at %s: ' "$1" "$2" >>seen
  curl -sS -T content --url smtp://localhost:2525/client.example.com --sasl-ir --user user:secret \
    --mail-from s@example.com --mail-rcpt a@example.net 2>>seen || :
}
try "535 no" AUTH
try "550 no" RCPT
try "550 no" .
try "451 later" .
cat seen
diff -u - seen >&2 <<'EXPECTED' || changed "see above"
535 no at AUTH: curl: (67) Login denied
550 no at RCPT: curl: (55) RCPT failed: 550
550 no at .: curl: (8) Weird server reply
451 later at .: curl: (8) Weird server reply
EXPECTED
