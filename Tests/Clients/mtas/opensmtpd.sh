# OpenSMTPD with a relay host, as smtpd.conf(5) shows.
configure() {
  user opensmtpd
  user opensmtpq
  mkdir -p /var/lib/opensmtpd/empty /etc/mail
  [ "$SMTP_TLS" = tls ] && scheme=smtps || scheme=smtp+tls
  echo "postscale postscale:$SMTP_KEY" >/etc/secrets
  chmod 640 /etc/secrets
  chown root:opensmtpd /etc/secrets
  cat >/etc/smtpd.conf <<END
table secrets file:/etc/secrets
action "relay" relay host $scheme://postscale@localhost:$SMTP_PORT auth <secrets> helo relay.yourdomain.com
match from local for any action "relay"
END
  ln -sf /usr/sbin/smtpctl /usr/sbin/sendmail
  chgrp opensmtpq /usr/sbin/smtpctl
  chmod 2555 /usr/sbin/smtpctl
  smtpd -d -f /etc/smtpd.conf &
  until [ -S /var/run/smtpd.sock ]; do sleep 0.1; done
}
flush() { smtpctl schedule all; }
