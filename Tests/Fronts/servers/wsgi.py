"""An API for gunicorn and waitress: it hands each request on to the sandbox as it comes, and the
answer back. $SANDBOX_PORT is where the sandbox listens."""

import http.client
import os
import select
import socket

SANDBOX_PORT = int(os.environ["SANDBOX_PORT"])
PIECE = 65_536


def upload(environ, sock):
    length = environ.get("CONTENT_LENGTH") or None
    lines = [f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ['QUERY_STRING']} HTTP/1.1",
             "Host: 127.0.0.1", "Connection: close", f"Authorization: {environ['HTTP_AUTHORIZATION']}"]
    lines += [f"Content-Type: {environ['CONTENT_TYPE']}"] if environ.get("CONTENT_TYPE") else []
    is_chunked = length is None and environ["REQUEST_METHOD"] == "POST"
    lines += ["Transfer-Encoding: chunked"] if is_chunked else [f"Content-Length: {length or 0}"]
    sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
    left = int(length or 0)
    while is_chunked or left:
        if select.select([sock], [], [], 0)[0]:
            return  # An answer before the end of the request.
        piece = environ["wsgi.input"].read(PIECE if is_chunked else min(PIECE, left))
        left -= len(piece)
        if is_chunked:
            sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        else:
            sock.sendall(piece)
        if not piece:
            return


def app(environ, start_response):
    if "HTTP_AUTHORIZATION" not in environ:
        start_response("401 Unauthorized", [("Content-Length", "0")])
        return [b""]
    try:
        with socket.create_connection(("127.0.0.1", SANDBOX_PORT)) as sock:
            try:
                upload(environ, sock)
            except (BrokenPipeError, ConnectionResetError):
                pass  # It may have answered before.
            answer = http.client.HTTPResponse(sock)
            answer.begin()
            body = answer.read()
    except (OSError, http.client.HTTPException):
        start_response("502 Bad Gateway", [("Content-Length", "0")])
        return [b""]
    headers = [(name, value) for name, value in answer.getheaders()
               if name.lower() not in ("connection", "keep-alive", "transfer-encoding", "server", "date")]
    start_response(f"{answer.status} {answer.reason}", headers)
    return [body]
