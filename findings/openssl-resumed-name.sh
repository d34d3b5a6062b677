#!/usr/bin/env bash
# OpenSSL 3.0.22: a server resumes a session under the name of its other certificate.
#
# RFC 6066 3: a server must not resume a session for another server_name; it goes on with a full
# handshake. OpenSSL decides about the ticket before it calls the callback that chooses a certificate by
# name, and does not compare the names. So a session that began under a.example goes on under b.example,
# whose certificate is never shown. The same with TLS 1.2, and with OpenSSL 3.5.9 of Debian 13. Seen
# 2026-11-30:
#
#   a.example New, a.example Reused, b.example Reused
#
# For a server with several certificates: give the session an ID context that depends on the name, in
# the callback of the ClientHello (SSL_CTX_set_client_hello_cb); the callback of the name is too late.
packages="libssl3=3.0.22-1~deb12u2 openssl=3.0.22-1~deb12u2"
. "$(dirname "$0")/lib.sh"

for host in a b; do
  openssl req -x509 -nodes -subj /CN=$host.example -newkey rsa:2048 -keyout $host.key -out $host.pem 2>/dev/null
done
openssl s_server -accept 127.0.0.1:4433 -key a.key -cert a.pem -key2 b.key -cert2 b.pem \
  -servername b.example -www >/dev/null 2>&1 &
# ask NAME OPTION...: whether the session is new.
ask() {
  printf 'GET / HTTP/1.0\r\n\r\n' | timeout 5 openssl s_client -connect 127.0.0.1:4433 -tls1_3 \
    -ign_eof -servername "$@" 2>/dev/null | grep -oE '^(New|Reused)' | head -1
}
within 5 "the server" ask a.example
echo "a.example $(ask a.example -sess_out session), a.example $(ask a.example -sess_in session)," \
  "b.example $(ask b.example -sess_in session)" >seen
cat seen
diff -u - seen >&2 <<'EXPECTED' || changed "see above"
a.example New, a.example Reused, b.example Reused
EXPECTED
