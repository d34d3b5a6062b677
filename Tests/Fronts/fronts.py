"""The front ends: how Debian's packages of them start, reload and stop, and what is set.

Each has the configuration that its package brings or that its own defaults make, a certificate and a
proxy rule to the API. The only other lines are marked with `@set@`: an idle limit that is too long for
a test, or a limit on bodies that the API does not have. limits.py leaves them out. Everything runs in
the front end's network namespace, listens on FRONT:PORT and writes into a folder of its own.
"""

import pathlib
import shutil
import signal
import subprocess
import time

from line import FRONT

PORT, API_PORT = 8443, 8080


class Front:
    """One front end. `enter` is the command prefix of its namespace; `is_default` leaves out what is
    set for the rows."""

    name = version_command = None
    # Seconds after which it closes an idle connection, as set here.
    idle_seconds = 5
    # How long it may take until it answers, on a busy machine.
    ready_seconds = 20
    # HTTP version -> seconds within which a request must be whole, however steadily it comes.
    whole_seconds = {}
    # HTTP versions over which it ends connections at a reload while requests are on their way to it,
    # or in it: what is left of these is uncertain.
    breaks_at_reload = ("1.1",)
    # HTTP versions over which it takes an upload without Content-Length.
    takes_uploads = ("1.1", "2")
    # HTTP version -> the reply when the API refuses an upload early, where that is not 552.
    early_code = {}
    versions = ("1.1", "2")
    # Rows that do not apply to it.
    without = ()
    # Environment of its processes, besides PATH and HOME.
    environment = {}
    stop_signal = signal.SIGTERM

    def __init__(self, folder, certificate, key, enter, is_default=False):
        self.folder, self.enter, self.is_default = pathlib.Path(folder), enter, is_default
        self.process = None
        both = self.folder / "both.pem"
        both.write_bytes(b"".join(pathlib.Path(each).read_bytes() for each in (certificate, key)))
        self.folder.chmod(0o755)
        both.chmod(0o644)
        self.names = {
            "folder": self.folder, "front": FRONT, "port": PORT, "api": API_PORT,
            "certificate": certificate, "key": key, "both": both}

    @classmethod
    def version(cls):
        done = subprocess.run(cls.version_command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout.decode(errors="replace").strip().splitlines()[0]

    def write(self, name, text):
        """A file of its configuration; `@word@` stands for one of `names`."""
        if self.is_default:
            text = "".join(line for line in text.splitlines(True) if "@set@" not in line)
        text = text.replace("@set@", "")
        for word, value in self.names.items():
            text = text.replace(f"@{word}@", str(value))
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def run(self, *command):
        log = open(self.folder / "output", "ab")
        with log:
            return subprocess.Popen(
                [*self.enter, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.folder),
                     **self.environment})

    def run_until_it_listens(self, port, *command):
        """The same, and waits until a process of the namespace listens on the port."""
        process = self.run(*command)
        end = time.monotonic() + 20
        while f":{port} " not in subprocess.run(
                [*self.enter, "ss", "-tlnH"], capture_output=True, text=True).stdout:
            if time.monotonic() > end:
                raise AssertionError(self.said())
            time.sleep(0.05)
        return process

    def start(self):
        self.process = self.run(*self.command())

    def command(self):
        raise NotImplementedError

    def reload(self):
        """As its unit file does it."""
        raise NotImplementedError

    def stop(self):
        """As its unit file does it; then whatever is left is killed."""
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def end(self):
        """Stops all of it."""
        self.stop()

    def said(self):
        """What it wrote."""
        return "\n".join(
            path.read_text(errors="replace")[-1_500:]
            for path in sorted(self.folder.glob("*"))
            if path.name in ("output", "error.log"))


class Nginx(Front):
    name, version_command = "nginx", ["nginx", "-v"]
    stop_signal = signal.SIGQUIT

    def command(self):
        configuration = self.write("nginx.conf", """
user www-data;
worker_processes auto;
pid @folder@/pid;
error_log @folder@/error.log;
daemon off;
events { worker_connections 768; }
http {
  sendfile on;
  tcp_nopush on;
  access_log off;
  ssl_protocols TLSv1.2 TLSv1.3;
  gzip on;
  server {
    listen @front@:@port@ ssl http2;
    ssl_certificate @certificate@;
    ssl_certificate_key @key@;
    keepalive_timeout 5s;@set@
    client_max_body_size 80m;@set@
    location / { proxy_pass http://127.0.0.1:@api@; }
  }
}
""")
        return ["nginx", "-p", str(self.folder), "-e", str(self.folder / "error.log"), "-c", configuration]

    def reload(self):
        self.process.send_signal(signal.SIGHUP)


class HAProxy(Front):
    name, version_command = "haproxy", ["haproxy", "-v"]

    def command(self):
        configuration = self.write("haproxy.cfg", """
global
  chroot /var/lib/haproxy
  user haproxy
  group haproxy
  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
defaults
  mode http
  option httplog
  option dontlognull
  timeout connect 5000
  timeout client 50000
  timeout server 50000
  timeout http-keep-alive 5s@set@
  errorfile 400 /etc/haproxy/errors/400.http
  errorfile 408 /etc/haproxy/errors/408.http
  errorfile 502 /etc/haproxy/errors/502.http
  errorfile 503 /etc/haproxy/errors/503.http
frontend relay
  bind @front@:@port@ ssl crt @both@ alpn h2,http/1.1
  default_backend api
backend api
  server api 127.0.0.1:@api@
""")
        return ["haproxy", "-W", "-f", configuration, "-p", str(self.folder / "pid")]

    def reload(self):
        self.process.send_signal(signal.SIGUSR2)


class Apache(Front):
    name, version_command = "apache", ["apache2", "-v"]
    # Sometimes: its own 502, when the API has closed before it has sent the rest.
    early_code = {"1.1": "451", "2": "451"}
    # Over HTTP/2 in about one of eight runs: mod_http2 fails while it shuts a connection down, and drops what
    # its last GOAWAY covers.
    breaks_at_reload = ("1.1", "2")

    def command(self):
        modules = "\n".join(
            f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in (
                "mpm_event", "authz_core", "reqtimeout", "ssl", "socache_shmcb", "http2", "proxy",
                "proxy_http"))
        # Debian's; with so few threads to a process, a burst ends idle connections before their time.
        process, all_of_them = (25, 150) if self.is_default else (300, 300)
        self.names["threads"] = f"ThreadLimit 300\nThreadsPerChild {process}\nMaxRequestWorkers {all_of_them}"
        configuration = self.write("apache2.conf", modules + """
ServerRoot @folder@
ServerName localhost
DefaultRuntimeDir @folder@
PidFile @folder@/pid
ErrorLog @folder@/error.log
User www-data
Group www-data
Timeout 300
KeepAlive On
MaxKeepAliveRequests 100
KeepAliveTimeout 5
RequestReadTimeout header=20-40,minrate=500
RequestReadTimeout body=10,minrate=500
@threads@
Protocols h2 http/1.1
Listen @front@:@port@
<VirtualHost @front@:@port@>
  SSLEngine on
  SSLCertificateFile @certificate@
  SSLCertificateKeyFile @key@
  ProxyPass / http://127.0.0.1:@api@/
</VirtualHost>
""")
        return ["apache2", "-f", configuration, "-DFOREGROUND"]

    def reload(self):
        self.process.send_signal(signal.SIGUSR1)


class Caddy(Front):
    name, version_command = "caddy", ["caddy", "version"]

    def command(self):
        self.configuration = self.write("Caddyfile", """
{@set@
  servers {@set@
    timeouts {@set@
      idle 5s@set@
    }@set@
  }@set@
}@set@
https://@front@:@port@ {
  tls @certificate@ @key@
  reverse_proxy 127.0.0.1:@api@
}
""")
        return ["caddy", "run", "--environ", "--config", self.configuration]

    def reload(self):
        self.run("caddy", "reload", "--config", self.configuration, "--force").wait(20)


class Lighttpd(Front):
    name, version_command = "lighttpd", ["lighttpd", "-v"]
    breaks_at_reload = ("1.1", "2")
    takes_uploads = ("1.1",)

    def command(self):
        uploads = self.folder / "uploads"
        uploads.mkdir(exist_ok=True)
        shutil.chown(uploads, "www-data")
        configuration = self.write("lighttpd.conf", """
server.modules = ( "mod_openssl", "mod_proxy" )
server.document-root = "/var/www/html"
server.upload-dirs = ( "@folder@/uploads" )
server.pid-file = "@folder@/pid"
server.username = "www-data"
server.groupname = "www-data"
server.bind = "@front@"
server.port = @port@
server.feature-flags += ("server.h2proto" => "enable")
server.feature-flags += ("server.graceful-shutdown-timeout" => 5)
ssl.engine = "enable"
ssl.pemfile = "@both@"
proxy.server = ( "" => ( ( "host" => "127.0.0.1", "port" => @api@ ) ) )
""")
        return ["lighttpd", "-D", "-f", configuration]

    def reload(self):
        self.process.send_signal(signal.SIGUSR1)


class Varnish(Front):
    """Hitch ends TLS for it. What is reloaded and restarted is Hitch."""

    name, version_command = "varnish", ["varnishd", "-V"]
    breaks_at_reload = ("1.1", "2")
    # Its own 503 takes the place of the API's answer: over HTTP/2 always, over HTTP/1.1 sometimes.
    early_code = {"1.1": "451", "2": "451"}
    cache = None

    def start(self):
        if self.cache is None:
            self.start_cache()
        super().start()

    def start_cache(self):
        rules = self.write("default.vcl", """vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "@api@"; }
""")
        # It compiles its rules first. Hitch would take connections meanwhile, and end them.
        self.cache = self.run_until_it_listens(
            6081, "varnishd", "-F", "-j", "none", "-n", str(self.folder / "varnish"), "-f", rules,
            "-a", "127.0.0.1:6081,PROXY", "-s", "malloc,256m", "-p", "feature=+http2")

    def command(self):
        configuration = self.write("hitch.conf", """
frontend = "[@front@]:@port@"
backend = "[127.0.0.1]:6081"
pem-file = "@both@"
user = "_hitch"
group = "_hitch"
daemon = off
workers = 2
write-proxy-v2 = on
alpn-protos = "h2, http/1.1"
""")
        return ["hitch", "--config", configuration, "--quiet"]

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def end(self):
        self.stop()
        self.cache.terminate()
        self.cache.wait(10)


class Nghttpx(Front):
    name, version_command = "nghttpx", ["nghttpx", "--version"]
    breaks_at_reload = ()
    stop_signal = signal.SIGQUIT

    def command(self):
        configuration = self.write("nghttpx.conf", """
frontend=@front@,@port@
backend=127.0.0.1,@api@
private-key-file=@key@
certificate-file=@certificate@
errorlog-file=@folder@/error.log
workers=1
frontend-keep-alive-timeout=5s@set@
frontend-http2-read-timeout=5s@set@
""")
        return ["nghttpx", f"--conf={configuration}"]

    def reload(self):
        self.process.send_signal(signal.SIGHUP)


class H2O(Front):
    name, version_command = "h2o", ["h2o", "--version"]
    idle_seconds = 10
    whole_seconds = {"1.1": 10}
    breaks_at_reload = ()

    def command(self):
        configuration = self.write("h2o.conf", """
user: debian-h2o
error-log: @folder@/error.log
pid-file: @folder@/pid
listen:
  host: @front@
  port: @port@
  ssl:
    certificate-file: @certificate@
    key-file: @key@
hosts:
  default:
    paths:
      /:
        proxy.reverse.url: http://127.0.0.1:@api@/
""")
        return ["h2o", "-c", configuration, "-m", "master"]

    def reload(self):
        self.process.send_signal(signal.SIGHUP)


FRONTS = {each.name: each for each in (
    Nginx, HAProxy, Apache, Caddy, Lighttpd, Varnish, Nghttpx, H2O)}
