# esmtp: a sendmail without a queue, over libESMTP, which reads its authorities from a folder.
configure() {
  ln -sf /usr/bin/esmtp /usr/sbin/sendmail
  mkdir -p /root/.authenticate
  chmod 700 /root/.authenticate
  cp /exchange/ca.pem /root/.authenticate/ca.pem
  chmod 600 /root/.authenticate/ca.pem
  cat >/root/.esmtprc <<END
hostname = localhost:$SMTP_PORT
starttls = required
END
  [ -z "$SMTP_USER" ] || cat >>/root/.esmtprc <<END
username = "$SMTP_USER"
password = "$SMTP_KEY"
END
  chmod 600 /root/.esmtprc
  # libESMTP 1.1.0 waits forever when a session ticket of TLS 1.3 comes before a reply.
  cat >/etc/ssl/openssl.cnf <<END
openssl_conf = init
[init]
ssl_conf = ssl
[ssl]
system_default = limits
[limits]
MaxProtocol = TLSv1.2
END
}
