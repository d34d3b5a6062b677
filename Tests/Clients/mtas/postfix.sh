# Postfix as a null client with a relayhost, as SASL_README and TLS_README show.
configure() {
  user postfix
  group postdrop
  cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf
  : >/etc/postfix/main.cf
  postconf -e compatibility_level=3.6 myhostname=relay.yourdomain.com mydestination= \
    inet_interfaces=loopback-only smtp_host_lookup=native "maillog_file=/exchange/maillog" \
    maillog_file_prefixes=/exchange,/var "relayhost=[localhost]:$SMTP_PORT" \
    smtp_tls_security_level=secure smtp_tls_CAfile=/exchange/ca.pem \
    message_size_limit=52428800 minimal_backoff_time=1s queue_run_delay=1s
  [ -z "$SMTP_USER" ] || postconf -e smtp_sasl_auth_enable=yes \
    smtp_sasl_security_options=noanonymous "smtp_sasl_mechanism_filter=$SMTP_AUTH" \
    smtp_sasl_password_maps=hash:/etc/postfix/sasl_passwd
  [ "$SMTP_TLS" = tls ] && postconf -e smtp_tls_wrappermode=yes
  echo "[localhost]:$SMTP_PORT $SMTP_USER:$SMTP_KEY" >/etc/postfix/sasl_passwd
  postmap /etc/postfix/sasl_passwd
  postconf -MX smtp/inet
  postconf -Me 'postlog/unix-dgram=postlog unix-dgram n - n - 1 postlogd'
  # All users may read the whole root: only this run uses it.
  postconf -F '*/*/chroot=n'
  mkdir -p /var/lib/postfix
  chown postfix /var/lib/postfix
  postfix set-permissions 2>/dev/null
  postfix start
}
show() { postqueue -p; }
flush() { postqueue -f; }
