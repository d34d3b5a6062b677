# sSMTP: a sendmail without a queue; its own manual page names these settings.
configure() {
  ln -sf /usr/sbin/ssmtp /usr/sbin/sendmail
  mkdir -p /etc/ssmtp
  cat >/etc/ssmtp/ssmtp.conf <<END
mailhub=localhost:$SMTP_PORT
hostname=relay.yourdomain.com
FromLineOverride=YES
UseTLS=YES
UseSTARTTLS=$([ "$SMTP_TLS" = tls ] && echo NO || echo YES)
TLS_CA_File=/exchange/ca.pem
END
  [ -z "$SMTP_USER" ] || cat >>/etc/ssmtp/ssmtp.conf <<END
AuthUser=$SMTP_USER
AuthPass=$SMTP_KEY
END
}
