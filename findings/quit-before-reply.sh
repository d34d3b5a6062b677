#!/usr/bin/env bash
# Postfix 3.7.11 and Exim 4.96: QUIT comes before the server's reply to the content.
#
# If the server announced PIPELINING, both send QUIT right after the final dot of a connection's
# last message, without waiting for the reply. RFC 2920 3.1 allows this: the content may begin a
# group of commands, and QUIT may end one. Without PIPELINING both wait for the reply. Here the
# listener waits for a second before it answers the content. Seen 2026-11-30, the same for 250 and
# 451:
#
#   with PIPELINING: QUIT within that second      without: QUIT after the reply
#
# For a server: a QUIT that came before the 250 was written does not say that the client has read
# the 250; only one that came afterwards does.
packages="postfix=3.7.11-0+deb12u1 libsasl2-2=2.1.28+dfsg-10+deb12u1 libnsl2=1.3.0-2
  exim4-daemon-light=4.96-15+deb12u11 exim4-base=4.96-15+deb12u11 libidn12=1.41-1
  libgnutls-dane0=3.7.9-2+deb12u7 libgnutls30=3.7.9-2+deb12u7 libunbound8=1.17.1-2+deb12u4
  libevent-2.1-7=2.1.12-stable-8+deb12u1"
. "$(dirname "$0")/lib.sh"

user Debian-exim
mkdir -p /etc/exim4 /var/spool/exim4
chown -R Debian-exim: /var/spool/exim4
cat >/etc/exim4/exim4.conf <<'END_OF_EXIM'
primary_hostname = client.example.com
log_file_path = /var/log/exim-%slog
trusted_users = root
keep_environment =
begin routers
smarthost:
  driver = manualroute
  route_list = * localhost::2525 byname
  self = send
  transport = smarthost
begin transports
smarthost:
  driver = smtp
begin retry
* * F,1h,1h
END_OF_EXIM
submit_exim() { message s@example.com | exim4 -odf -oi -f s@example.com a@example.net; }

user postfix
grep -q '^postdrop:' /etc/group || groupadd -r postdrop
mkdir -p /etc/postfix /var/lib/postfix
cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf
: >/etc/postfix/main.cf
postconf -e compatibility_level=3.6 myhostname=client.example.com mydestination= \
  inet_interfaces=loopback-only smtp_host_lookup=native maillog_file=/var/log/maillog \
  "relayhost=[localhost]:2525"
postconf -MX smtp/inet
postconf -Me 'postlog/unix-dgram=postlog unix-dgram n - n - 1 postlogd'
postconf -F '*/*/chroot=n'
chown postfix /var/lib/postfix
postfix set-permissions 2>/dev/null || :
postfix start 2>/dev/null
submit_postfix() { message s@example.com | sendmail -oi -f s@example.com a@example.net; }

# try CLIENT EXTENSION REPLY MARK
try() {
  listen "$*" extensions="$2" hold=1 ".=$3"
  "submit_$1"
  within 8 "QUIT of $1" grep -q QUIT "$*"
  expect "$*" "$1 with $2 and $3" <<SESSION
1 EHLO client.example.com
1 MAIL FROM:<s@example.com>
1 RCPT TO:<a@example.net>
1 DATA
1 content
1 $4QUIT
SESSION
}
for client in exim postfix; do
  try $client PIPELINING "250 taken" "early "
  try $client PIPELINING "451 later" "early "
  try $client 8BITMIME "250 taken" ""
done
