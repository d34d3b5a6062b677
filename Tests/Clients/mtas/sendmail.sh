# The real sendmail, its configuration made by m4 as cf/README describes a client that logs in. On a
# busy machine sendmail would only queue; here it never does. After a 4yz it would wait half an hour
# for that server; here it waits a second.
configure() {
  user smmta
  user smmsp
  mkdir -p /etc/mail /var/spool/mqueue /var/lib/sendmail/host_status
  chmod 700 /var/spool/mqueue
  : >/etc/mail/authinfo
  [ -z "$SMTP_USER" ] || echo "AuthInfo:127.0.0.1 \"U:$SMTP_USER\" \"I:$SMTP_USER\"" \
    "\"P:$SMTP_KEY\" \"M:${SMTP_AUTH:-PLAIN}\"" >/etc/mail/authinfo
  chmod 600 /etc/mail/authinfo
  echo "TLS_Srv:127.0.0.1 VERIFY" >/etc/mail/access
  cat >/etc/mail/sendmail.mc <<END
OSTYPE(\`debian')
define(\`confDOMAIN_NAME', \`relay.yourdomain.com')
define(\`confCACERT', \`/exchange/ca.pem')
define(\`confCACERT_PATH', \`/etc/ssl/certs')
define(\`confDONT_PROBE_INTERFACES', \`True')
define(\`confMIN_QUEUE_AGE', \`0')
define(\`confTO_HOSTSTATUS', \`1s')
define(\`confQUEUE_LA', \`1000')
define(\`confREFUSE_LA', \`1000')
define(\`confAUTH_MECHANISMS', \`PLAIN LOGIN')
FEATURE(\`nocanonify')
FEATURE(\`authinfo', \`hash /etc/mail/authinfo')
FEATURE(\`access_db', \`hash -T<TMPF> /etc/mail/access')
define(\`SMART_HOST', \`relay:[localhost]')
define(\`RELAY_MAILER_ARGS', \`TCP \$h $SMTP_PORT')
MAILER(\`smtp')
END
  echo 'hosts files' >/etc/mail/service.switch
  m4 /usr/share/sendmail/cf/m4/cf.m4 /etc/mail/sendmail.mc >/etc/mail/sendmail.cf
  makemap=/usr/libexec/sendmail/makemap
  $makemap hash /etc/mail/authinfo </etc/mail/authinfo
  $makemap hash /etc/mail/access </etc/mail/access
  ln -sf /usr/libexec/sendmail/sendmail /usr/sbin/sendmail
}
submit() { /usr/sbin/sendmail -Am -t -oi -f sender@yourdomain.com; }
show() { /usr/sbin/sendmail -Am -bp; }
flush() { /usr/sbin/sendmail -Am -q; }
