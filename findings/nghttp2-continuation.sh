#!/usr/bin/env bash
# nghttp2 1.52.0 of Debian 12: CONTINUATION frames count again for each piece of their head.
#
# A header block may have eight CONTINUATION frames by default
# (nghttp2_option_set_max_continuations). A frame is counted whenever its nine bytes of head are looked
# at, and they are looked at once for each call of nghttp2_session_mem_recv that brings a part of
# them. So the same valid request, with three such frames, is taken whole and refused byte by byte,
# with NGHTTP2_ERR_TOO_MANY_CONTINUATIONS (-905). Seen 2026-11-30:
#
#   whole: 1 request      byte by byte: error
#
# For a server: TCP cuts where it likes; raise the library's bound, and count frames yourself.
packages="libnghttp2-14=1.52.0-1+deb12u3"
. "$(dirname "$0")/lib.sh"

python3 - >seen <<'PROGRAM'
import ctypes

http2 = ctypes.CDLL("libnghttp2.so.14")
http2.nghttp2_session_mem_recv.restype = ctypes.c_ssize_t
HEADERS, SETTINGS, CONTINUATION, END_STREAM, END_HEADERS = 1, 4, 9, 1, 4


def frame(kind, flags, stream, payload=b""):
    return (len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
            + payload)


# GET https://example.com/, its four fields in four frames (RFC 9113 6.10; RFC 7541, appendix A).
request = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0)
request += frame(HEADERS, END_STREAM, 1, b"\x82") + frame(CONTINUATION, 0, 1, b"\x87")
request += frame(CONTINUATION, 0, 1, b"\x84")
request += frame(CONTINUATION, END_HEADERS, 1, b"\x41\x0bexample.com")


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
def received(session, seen, user):
    if ctypes.cast(seen, ctypes.POINTER(ctypes.c_uint8))[12] == HEADERS:
        requests.append(1)
    return 0


callbacks, session = ctypes.c_void_p(), ctypes.c_void_p()
http2.nghttp2_session_callbacks_new(ctypes.byref(callbacks))
http2.nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, received)
for name, size in ("whole", len(request)), ("byte by byte", 1):
    requests = []
    http2.nghttp2_session_server_new(ctypes.byref(session), callbacks, None)
    outcome = "taken"
    for start in range(0, len(request), size):
        piece = request[start:start + size]
        taken = http2.nghttp2_session_mem_recv(session, piece, ctypes.c_size_t(len(piece)))
        if taken != len(piece):
            outcome = f"error {taken}"
            break
    print(f"{name}: {len(requests)} request, {outcome}")
PROGRAM
cat seen
diff -u - seen >&2 <<'EXPECTED' || changed "see above"
whole: 1 request, taken
byte by byte: 0 request, error -905
EXPECTED
