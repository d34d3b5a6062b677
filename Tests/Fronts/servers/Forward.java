// An API for Tomcat and Jetty: a servlet that hands each request on to the sandbox as it comes, and the
// answer back. The property `sandbox` is the port where the sandbox listens. `@servlet@` is the package
// of servlets: `jakarta` in Tomcat 10, `javax` in Jetty 9.

import @servlet@.servlet.http.HttpServlet;
import @servlet@.servlet.http.HttpServletRequest;
import @servlet@.servlet.http.HttpServletResponse;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;

public class Forward extends HttpServlet {
  private static final int PORT = Integer.getInteger("sandbox");

  @Override
  protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
    try (Socket socket = new Socket("127.0.0.1", PORT)) {
      socket.setTcpNoDelay(true);
      InputStream answer = new BufferedInputStream(socket.getInputStream());
      try {
        upload(request, socket.getOutputStream(), answer);
      } catch (SocketException error) {
        // The sandbox has ended the connection: it may have answered before.
      }
      handBack(answer, response);
    } catch (SocketException error) {
      response.setStatus(502);
    }
  }

  private static void upload(HttpServletRequest request, OutputStream out, InputStream answer)
      throws IOException {
    long length = request.getContentLengthLong();
    boolean isChunked = length < 0 && request.getMethod().equals("POST");
    StringBuilder head = new StringBuilder(request.getMethod()).append(' ').append(request.getRequestURI());
    if (request.getQueryString() != null) {
      head.append('?').append(request.getQueryString());
    }
    head.append(" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n");
    for (String name : new String[] {"Authorization", "Content-Type"}) {
      if (request.getHeader(name) != null) {
        head.append(name).append(": ").append(request.getHeader(name)).append("\r\n");
      }
    }
    head.append(isChunked ? "Transfer-Encoding: chunked" : "Content-Length: " + Math.max(length, 0));
    out.write(head.append("\r\n\r\n").toString().getBytes(StandardCharsets.ISO_8859_1));
    byte[] piece = new byte[65_536];
    InputStream body = request.getInputStream();
    // An answer before the end of the request goes back at once.
    for (int count; answer.available() == 0 && (count = readClient(body, piece)) >= 0;) {
      if (isChunked && count > 0) {
        out.write((Integer.toHexString(count) + "\r\n").getBytes(StandardCharsets.ISO_8859_1));
      }
      out.write(piece, 0, count);
      if (isChunked && count > 0) {
        out.write(new byte[] {'\r', '\n'});
      }
    }
    if (isChunked && answer.available() == 0) {
      out.write("0\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1));
    }
  }

  // What the client's connection throws is no SocketException: then the request is broken off.
  private static int readClient(InputStream body, byte[] piece) throws IOException {
    try {
      return body.read(piece);
    } catch (IOException error) {
      throw new IOException("the client has left", error);
    }
  }

  private static void handBack(InputStream answer, HttpServletResponse response) throws IOException {
    String status = line(answer);
    if (status.isEmpty()) {
      response.setStatus(502);
      return;
    }
    response.setStatus(Integer.parseInt(status.split(" ")[1]));
    for (String header; !(header = line(answer)).isEmpty();) {
      String[] parts = header.split(": ", 2);
      if (!parts[0].equalsIgnoreCase("Connection") && !parts[0].equalsIgnoreCase("Date")) {
        response.setHeader(parts[0], parts[1]);
      }
    }
    answer.transferTo(response.getOutputStream());
  }

  private static String line(InputStream in) throws IOException {
    StringBuilder line = new StringBuilder();
    for (int next; (next = in.read()) >= 0 && next != '\n';) {
      if (next != '\r') {
        line.append((char) next);
      }
    }
    return line.toString();
  }
}
