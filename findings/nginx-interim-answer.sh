#!/usr/bin/env bash
# nginx 1.22.1: an interim answer (103) of a backend is taken for the whole answer.
#
# The real answer is then the body of the 103. Over HTTP/1.1 that works by accident: nginx writes both
# heads one after the other, as if it knew of interim answers, but the second is the backend's own,
# untouched, and the connection is closed after it. Over HTTP/2 it is DATA on a stream that has only a
# 103, and the client gets no answer to a request that the backend has accepted. Seen 2026-11-30:
#
#   HTTP/1.1: 103, then 202 with the backend's own Server      HTTP/2: curl's error 92, no status
#
# For a server: a backend of an nginx must not send 103 (RFC 8297), and a test over HTTP/1.1 does not
# show it.
packages="nginx=1.22.1-9+deb12u11 nginx-common=1.22.1-9+deb12u11 curl=7.88.1-10+deb12u15
  libcurl4=7.88.1-10+deb12u15 libnghttp2-14=1.52.0-1+deb12u3"
. "$(dirname "$0")/lib.sh"

cat >backend.py <<'PROGRAM'
"""Answers each request at port 8000 with 202; those to /interim get a 103 (RFC 8297) before it."""

import http.server


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/interim":
            self.send_response_only(103)
            self.send_header("Link", "</style.css>; rel=preload")
            self.end_headers()
        self.send_response(202)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"taken\n")


http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Answer).serve_forever()
PROGRAM
mkdir -p /var/lib/nginx
cat >nginx.conf <<'CONFIGURATION'
user root;
daemon off;
error_log /error.log info;
events {}
http {
  access_log off;
  server {
    listen 127.0.0.1:8080;
    listen 127.0.0.1:8081 http2;
    location / { proxy_pass http://127.0.0.1:8000; }
  }
}
CONFIGURATION
python3 backend.py 2>/dev/null &
nginx -c "$PWD/nginx.conf" &
within 10 "nginx" bash -c ': </dev/tcp/127.0.0.1/8080 && : </dev/tcp/127.0.0.1/8000'
# ask PORT PATH [OPTION]: the statuses that a client sees, its body, and curl's verdict.
ask() {
  local status=0
  curl -s -m 10 -i -d hi "${@:3}" "http://localhost:$1$2" >answer || status=$?
  printf '%s%s: ' "$1" "$2"
  # How much it has shown before an error depends on the time.
  [ $status = 0 ] || { echo "curl $status" && return; }
  tr -d '\r' <answer | sed -n -E 's/^HTTP[^ ]* ([0-9]+).*/\1/p; s/^[Ss]erver: ([a-zA-Z]+).*/by \1/p; /^taken/p' |
    paste -s -d ' '
}
{
  ask 8000 /interim
  ask 8080 /plain
  ask 8080 /interim
  ask 8081 /plain --http2-prior-knowledge
  ask 8081 /interim --http2-prior-knowledge
} >seen
cat seen
diff -u - seen >&2 <<'EXPECTED' || changed "see above"
8000/interim: 103 202 by BaseHTTP taken
8080/plain: 202 by nginx taken
8080/interim: 103 by nginx 202 by BaseHTTP taken
8081/plain: 202 by nginx taken
8081/interim: curl 92
EXPECTED
