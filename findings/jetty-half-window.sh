#!/usr/bin/env bash
# Jetty 9.4.57: when exactly half of an HTTP/2 connection's window is used, it does not open it.
#
# Its windows are 512 KB for a stream and 1 MB for a connection (BufferingFlowControlStrategy). It opens
# either when more than half of it is read, so not at half. A stream's window is just half of the
# connection's: one upload that fills its first window leaves the connection at that point. Here a client
# sends 524,288 bytes, which a servlet reads, and waits; then one byte more. Seen 2026-11-30:
#
#   524,288 bytes: the stream's window is opened, the connection's is not within 5 s
#   one byte more: the connection's is opened, by 524,289
#
# For a client: one that keeps half of a connection's window for other requests (weighed uploads, say)
# waits forever at exactly half; it must go one frame beyond.
packages="libjetty9-java=9.4.57-1.1~deb12u1 libservlet-api-java=4.0.1-2 openjdk-17-jre-headless=17.0.21.1+2-1~deb12u1"
. "$(dirname "$0")/lib.sh"

cat >Half.java <<'PROGRAM'
import java.io.IOException;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.eclipse.jetty.http2.server.HTTP2CServerConnectionFactory;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.handler.AbstractHandler;

public class Half {
  public static void main(String[] arguments) throws Exception {
    HttpConfiguration configuration = new HttpConfiguration();
    Server server = new Server();
    ServerConnector connector = new ServerConnector(server,
        new HttpConnectionFactory(configuration), new HTTP2CServerConnectionFactory(configuration));
    connector.setHost("127.0.0.1");
    connector.setPort(8080);
    server.addConnector(connector);
    server.setHandler(new AbstractHandler() {
      public void handle(String target, Request base, HttpServletRequest request,
          HttpServletResponse response) throws IOException {
        while (request.getInputStream().read(new byte[65536]) >= 0) {
        }
        base.setHandled(true);
      }
    });
    server.start();
  }
}
PROGRAM
jars=$(printf '%s:' /usr/share/java/jetty9-{server,http,io,util,http2-server,http2-common,http2-hpack}.jar)
/usr/lib/jvm/java-17-openjdk-amd64/bin/java -cp "$jars/usr/share/java/servlet-api.jar" Half.java >log 2>&1 &
within 40 "Jetty" grep -q "Started ServerConnector" log

python3 - >seen <<'PROGRAM'
import socket
import time

DATA, HEADERS, SETTINGS, WINDOW_UPDATE, ACK, END_HEADERS = 0, 1, 4, 8, 1, 4


def frame(kind, flags, stream, payload=b""):
    return (len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
            + payload)


server = socket.create_connection(("127.0.0.1", 8080))
server.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0))
buffer = b""


def opened(seconds, enough):
    """Stream -> by how many bytes its window was opened in so many seconds; 0 is the connection."""
    global buffer
    found, end = {}, time.monotonic() + seconds
    while not enough(found) and (left := end - time.monotonic()) > 0:
        server.settimeout(left)
        try:
            buffer += server.recv(65_536)
        except TimeoutError:
            break
        while len(buffer) >= 9 and len(buffer) >= 9 + int.from_bytes(buffer[:3], "big"):
            size = int.from_bytes(buffer[:3], "big")
            kind, flags, stream = buffer[3], buffer[4], int.from_bytes(buffer[5:9], "big")
            payload, buffer = buffer[9:9 + size], buffer[9 + size:]
            if kind == WINDOW_UPDATE:
                found[stream] = found.get(stream, 0) + int.from_bytes(payload, "big")
            elif kind == SETTINGS and not flags & ACK:
                values = {payload[at + 1]: int.from_bytes(payload[at + 2:at + 6], "big")
                          for at in range(0, size, 6)}
                found["a stream"] = values.get(4)
    return found


first = opened(10, lambda found: 0 in found and "a stream" in found)
print("windows:", first["a stream"], 65_535 + first[0])
# POST http://127.0.0.1/ (RFC 7541, appendix A).
server.sendall(frame(SETTINGS, ACK, 0) + frame(HEADERS, END_HEADERS, 1, b"\x83\x86\x84\x41\x09127.0.0.1"))
for _ in range(32):
    server.sendall(frame(DATA, 0, 1, bytes(16_384)))
half = opened(5, lambda found: 0 in found)
print("half: stream", "opened" if half.get(1) else "shut", "connection", half.get(0, "shut"))
server.sendall(frame(DATA, 0, 1, b"x"))
more = opened(5, lambda found: 0 in found)
print("one byte more: connection", more.get(0, "shut"))
PROGRAM
cat seen
diff -u - seen >&2 <<'EXPECTED' || changed "see above"
windows: 524288 1048576
half: stream opened connection shut
one byte more: connection 524289
EXPECTED
