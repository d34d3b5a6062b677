# Exim with a smart host, a configuration as its specification describes.
configure() {
  user Debian-exim
  mkdir -p /etc/exim4 /var/spool/exim4 /var/log/exim4
  chown -R Debian-exim: /var/spool/exim4 /var/log/exim4
  [ "$SMTP_TLS" = tls ] && protocol="protocol = smtps" || protocol="hosts_require_tls = *"
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
  hosts_require_auth = *
  $protocol
  tls_verify_certificates = /exchange/ca.pem
  tls_verify_hosts = *
begin retry
* * F,1h,1s
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  client_send = ^postscale^$SMTP_KEY
END
  chmod 640 /etc/exim4/exim4.conf
  chown root:Debian-exim /etc/exim4/exim4.conf
}
flush() { exim4 -qff; }
