# The DragonFly mail agent. It has no store of authorities; the certificate's hash is pinned.
configure() {
  mkdir -p /etc/dma /var/spool/dma
  chown root:mail /var/spool/dma
  chmod 2775 /var/spool/dma
  ln -sf /usr/sbin/dma /usr/sbin/sendmail
  print=$(openssl x509 -in /exchange/ca.pem -noout -fingerprint -sha256 | cut -d= -f2 | tr -d :)
  {
    echo "SMARTHOST localhost"
    echo "PORT $SMTP_PORT"
    echo "AUTHPATH /etc/dma/auth.conf"
    echo "SECURETRANSFER"
    [ "$SMTP_TLS" = tls ] || echo "STARTTLS"
    echo "FINGERPRINT $print"
    echo "MAILNAME relay.yourdomain.com"
  } >/etc/dma/dma.conf
  : >/etc/dma/auth.conf
  [ -z "$SMTP_USER" ] || echo "$SMTP_USER|localhost:$SMTP_KEY" >/etc/dma/auth.conf
}
# Mail of a local user: the bounce stays here, because dma writes it as From: MAILER-DAEMON <>. dma
# does not know -oi, and would end the message at a line with only a dot. The recipients are
# arguments, because with -t it loses those on the second line of a header.
submit() { /usr/sbin/sendmail -i -f root $(recipients "$message"); }
recipients() {
  python3 - "$1" <<'END'
import email.policy, sys
message = email.message_from_file(open(sys.argv[1]), policy=email.policy.default)
for field in message.get_all("To", []) + message.get_all("Cc", []) + message.get_all("Bcc", []):
    print(*[address.addr_spec for address in field.addresses])
END
}
show() { /usr/sbin/sendmail -bp; }
# dma sleeps for five minutes before it tries again, unless it is told to flush its queue (dma -q
# would write the same file, but not end the sleep). Only a sleeping process gets the signal,
# because a signal would break off a delivery. 35 and 230 are nanosleep and clock_nanosleep on
# x86-64, 101 and 115 on arm64.
flush() {
  touch /var/spool/dma/flush
  found=
  for process in $(pgrep -f '^/usr/sbin/sendmail -[iq]'); do
    found=1
    read -r call _ <"/proc/$process/syscall" || continue
    case $call in 35 | 230 | 101 | 115) kill -HUP "$process" ;; esac
  done 2>/dev/null
  [ -n "$found" ] || /usr/sbin/sendmail -q
  [ ! -f /var/mail/root ] || cp /var/mail/root /exchange/mailbox 2>/dev/null
}
