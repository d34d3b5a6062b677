# Exim with a smart host, a configuration as its specification describes.
configure() {
  user Debian-exim
  mkdir -p /etc/exim4 /var/spool/exim4 /var/log/exim4
  chown -R Debian-exim: /var/spool/exim4 /var/log/exim4
  [ "$SMTP_TLS" = tls ] && protocol="protocol = smtps" || protocol="hosts_require_tls = *"
  [ -z "$SMTP_USER" ] || auth="hosts_require_auth = *"
  cat >/etc/exim4/exim4.conf <<END
primary_hostname = relay.yourdomain.com
qualify_domain = yourdomain.com
log_file_path = /var/log/exim4/%slog
trusted_users = root
begin routers
smarthost:
  driver = manualroute
  route_list = * localhost::$SMTP_PORT byname
  self = send
  transport = smarthost
begin transports
smarthost:
  driver = smtp
  $auth
  $protocol
  tls_verify_certificates = /exchange/ca.pem
  tls_verify_hosts = *
begin retry
* * F,1h,1s
begin authenticators
END
  [ -z "$SMTP_USER" ] || [ "$SMTP_AUTH" = LOGIN ] || cat >>/etc/exim4/exim4.conf <<END
plain:
  driver = plaintext
  public_name = PLAIN
  client_send = ^$SMTP_USER^$SMTP_KEY
END
  [ -z "$SMTP_USER" ] || [ "$SMTP_AUTH" = PLAIN ] || cat >>/etc/exim4/exim4.conf <<END
login:
  driver = plaintext
  public_name = LOGIN
  client_send = : $SMTP_USER : $SMTP_KEY
END
  chmod 640 /etc/exim4/exim4.conf
  chown root:Debian-exim /etc/exim4/exim4.conf
}
show() {
  exim4 -bp
  cat /var/log/exim4/*log
}
flush() { exim4 -qff; }
