# nullmailer: one line in /etc/nullmailer/remotes, and its daemon.
configure() {
  [ "$SMTP_TLS" = starttls ] && tls=--starttls || tls=--ssl
  mkdir -p /etc/nullmailer
  echo relay.yourdomain.com >/etc/nullmailer/me
  echo 1 >/etc/nullmailer/pausetime
  echo "localhost smtp --port=$SMTP_PORT $tls --x509cafile=/exchange/ca.pem" \
    "--user=postscale --pass=$SMTP_KEY" >/etc/nullmailer/remotes
  mkdir -p /var/spool/nullmailer/queue /var/spool/nullmailer/tmp /var/spool/nullmailer/failed
  [ -p /var/spool/nullmailer/trigger ] || mkfifo /var/spool/nullmailer/trigger
  chown -R mail: /var/spool/nullmailer /etc/nullmailer
  su mail -s /bin/sh -c /usr/sbin/nullmailer-send &
}
