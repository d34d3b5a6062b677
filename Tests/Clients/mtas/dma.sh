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
# A local user's mail: the bounce stays here, since dma writes it as From: MAILER-DAEMON <>. It does
# not know -oi, and would end the message at a line that is a dot.
submit() { /usr/sbin/sendmail -t -i -f root; }
show() { /usr/sbin/sendmail -bp; }
# It sleeps for five minutes before it tries again, unless it is told to flush its queue (dma -q
# would say so by the same file and leave the sleep to end). Only who sleeps is woken: a signal in the
# middle of a delivery breaks it off. 35 and 230 are nanosleep and clock_nanosleep on x86-64, 101 and
# 115 on arm64.
flush() {
  touch /var/spool/dma/flush
  found=
  for process in $(pgrep -f '^/usr/sbin/sendmail -[tq]'); do
    found=1
    read -r call _ <"/proc/$process/syscall" || continue
    case $call in 35 | 230 | 101 | 115) kill -HUP "$process" ;; esac
  done 2>/dev/null
  [ -n "$found" ] || /usr/sbin/sendmail -q
  [ ! -f /var/mail/root ] || cp /var/mail/root /exchange/mailbox 2>/dev/null
}
