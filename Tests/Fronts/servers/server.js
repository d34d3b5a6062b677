// An API of Node: it hands each request on to the sandbox, and the answer back, as they come.
//   node server.js 1.1|2 ADDRESS PORT SANDBOX-PORT CERTIFICATE KEY IDLE-MILLISECONDS
// Nothing is set but the certificate and, if it is not 0, the idle limit of HTTP/2, which has none.
"use strict";
const fs = require("fs");
const http = require("http");

const [version, address, port, sandbox, certificate, key, idle] = process.argv.slice(2);
const OF_CONNECTION = ["connection", "keep-alive", "transfer-encoding", "host"];

function kept(headers) {
  return Object.fromEntries(Object.entries(headers).filter(
    ([name]) => !name.startsWith(":") && !OF_CONNECTION.includes(name)));
}

function serve(request, answer) {
  const call = http.request({
    host: "127.0.0.1", port: sandbox, method: request.method, path: request.url,
    headers: kept(request.headers), agent: false });
  call.on("response", (reply) => {
    answer.writeHead(reply.statusCode, kept(reply.headers));
    reply.pipe(answer);
  });
  call.on("error", () => {
    if (!answer.headersSent) {
      answer.writeHead(502);
      answer.end();
    }
  });
  request.on("aborted", () => call.destroy());
  request.pipe(call);
}

const tls = { cert: fs.readFileSync(certificate), key: fs.readFileSync(key) };
const server = version === "2"
  ? require("http2").createSecureServer(tls, serve) : require("https").createServer(tls, serve);
server.on("session", (session) => {
  if (Number(idle)) {
    session.setTimeout(Number(idle), () => session.close());
  }
});
server.listen(port, address);
