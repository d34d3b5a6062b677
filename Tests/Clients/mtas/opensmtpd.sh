# OpenSMTPD with a relay host, as smtpd.conf(5) shows.
configure() {
  user opensmtpd
  user opensmtpq
  mkdir -p /var/lib/opensmtpd/empty /etc/mail
  [ "$SMTP_TLS" = tls ] && scheme=smtps || scheme=smtp+tls
  echo "postscale $SMTP_USER:$SMTP_KEY" >/etc/secrets
  [ -z "$SMTP_USER" ] || login="postscale@" auth="auth <secrets>"
  chmod 640 /etc/secrets
  chown root:opensmtpd /etc/secrets
  cat >/etc/smtpd.conf <<END
table secrets file:/etc/secrets
smtp max-message-size 52428800
action "relay" relay host $scheme://${login}localhost:$SMTP_PORT $auth helo relay.yourdomain.com
match from local for any action "relay"
END
  ln -sf /usr/sbin/smtpctl /usr/sbin/sendmail
  chgrp opensmtpq /usr/sbin/smtpctl
  chmod 2555 /usr/sbin/smtpctl
  smtpd -d -f /etc/smtpd.conf &
  until [ -S /var/run/smtpd.sock ]; do sleep 0.1; done
}
show() { smtpctl show queue; }
flush() { smtpctl schedule all; }
