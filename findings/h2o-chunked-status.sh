#!/usr/bin/env bash
# h2o 2.2.5: an answer of unknown length keeps the connection only if its status is 200.
#
# A backend may send any answer in chunks. h2o passes a 200 on in chunks and keeps the client's
# connection. With any other status, 201 and 202 too, it sends the body without a length and closes the
# connection at its end, which HTTP/1.1 allows. With a Content-Length the status does not matter. Seen
# 2026-11-30:
#
#   chunked 200: chunked, keep-alive      chunked 201, 202, 404, 503: no length, close
#
# For a server: an API that accepts with 202 and chunks costs its clients a connection for each call;
# small answers with a Content-Length do not.
packages="h2o=2.2.5+dfsg2-7 libyaml-0-2=0.2.5-1"
. "$(dirname "$0")/lib.sh"

cat >backend.py <<'PROGRAM'
"""Port 8000: GET /STATUS/FRAMING is answered so, the connection kept."""

import http.server


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        _, status, framing = self.path.split("/")
        self.send_response(int(status))
        chunked = framing == "chunked"
        self.send_header(*("Transfer-Encoding", "chunked") if chunked else ("Content-Length", "2"))
        self.end_headers()
        self.wfile.write(b"2\r\nok\r\n0\r\n\r\n" if chunked else b"ok")


http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Answer).serve_forever()
PROGRAM
cat >h2o.conf <<'CONFIGURATION'
user: root
listen: {host: 127.0.0.1, port: 8080}
hosts: {default: {paths: {/: {proxy.reverse.url: "http://127.0.0.1:8000/"}}}}
CONFIGURATION
python3 backend.py 2>/dev/null &
h2o -c h2o.conf 2>log &
within 10 "h2o" bash -c ': </dev/tcp/127.0.0.1/8080 && : </dev/tcp/127.0.0.1/8000'
python3 - >seen <<'PROGRAM'
import http.client

for status in 200, 201, 202, 404, 503:
    for framing in "length", "chunked":
        client = http.client.HTTPConnection("127.0.0.1", 8080, timeout=5)
        client.request("GET", f"/{status}/{framing}")
        answer = client.getresponse()
        size = "chunked" if answer.chunked else "length" if answer.length is not None else "no length"
        assert answer.read() == b"ok"
        print(f"{framing} {status}: {size}, {answer.getheader('Connection')}")
PROGRAM
cat seen
diff -u - seen >&2 <<'EXPECTED' || changed "see above"
length 200: length, keep-alive
chunked 200: chunked, keep-alive
length 201: length, keep-alive
chunked 201: no length, close
length 202: length, keep-alive
chunked 202: no length, close
length 404: length, keep-alive
chunked 404: no length, close
length 503: length, keep-alive
chunked 503: no length, close
EXPECTED
