# Runs inside the root: configures the program, hands over the messages, then makes the program look
# at its queue repeatedly, until the run is ended from outside. $MTA.sh defines configure and flush.

# user NAME: a system user and group of that name.
user() {
  group "$1"
  grep -q "^$1:" /etc/passwd || useradd -r -M -g "$1" -d / -s /usr/sbin/nologin "$1"
}
group() { grep -q "^$1:" /etc/group || groupadd -r "$1"; }
# Hands over a message; the recipients are in its headers.
submit() { /usr/sbin/sendmail -t -oi -f sender@yourdomain.com; }
flush() { :; }
# What the program tells about its queue.
show() { :; }

# What the program writes to the system's log.
python3 - <<'END' &
import os, socket
log = open("/exchange/syslog", "ab", buffering=0)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as system:
    system.bind("/dev/log")
    os.chmod("/dev/log", 0o666)
    while True:
        log.write(system.recv(65536) + b"\n")
END
until [ -S /dev/log ]; do sleep 0.02; done
. "/exchange/$MTA.sh"
echo relay.yourdomain.com >/etc/mailname
printf '127.0.0.1 localhost\n127.0.1.1 relay.yourdomain.com relay\n' >/etc/hosts
# The system's store of authorities, for programs that read no other.
cat /exchange/ca.pem >>/etc/ssl/certs/ca-certificates.crt
configure
for message in /exchange/*.eml; do
  name=${message%.eml}
  submit <"$message" >"$name.out" 2>&1
  echo $? >"$name.status"
done
while :; do
  flush
  show >/exchange/queue.new 2>&1
  mv /exchange/queue.new /exchange/queue
  sleep 0.5
done
