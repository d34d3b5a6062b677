# nullmailer: one line in /etc/nullmailer/remotes, and its daemon.
configure() {
  [ "$SMTP_TLS" = starttls ] && tls=--starttls || tls=--ssl
  mkdir -p /etc/nullmailer
  echo relay.yourdomain.com >/etc/nullmailer/me
  echo 1 >/etc/nullmailer/pausetime
  login=
  [ -z "$SMTP_USER" ] || login="--user=$SMTP_USER --pass=$SMTP_KEY"
  [ "$SMTP_AUTH" != LOGIN ] || login="$login --auth-login"
  echo "localhost smtp --port=$SMTP_PORT $tls --x509cafile=/exchange/ca.pem $login" \
    >/etc/nullmailer/remotes
  mkdir -p /var/spool/nullmailer/queue /var/spool/nullmailer/tmp /var/spool/nullmailer/failed
  [ -p /var/spool/nullmailer/trigger ] || mkfifo /var/spool/nullmailer/trigger
  chown -R mail: /var/spool/nullmailer /etc/nullmailer
  # Messages that it gives up come back to the sender as a bounce; messages that it tries again are
  # in its log.
  su mail -s /bin/sh -c /usr/sbin/nullmailer-send &
}
