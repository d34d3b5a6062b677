# msmtp as sendmail, configured by /etc/msmtprc as its manual shows.
configure() {
  ln -sf /usr/bin/msmtp /usr/sbin/sendmail
  [ "$SMTP_TLS" = starttls ] && starttls=on || starttls=off
  cat >/etc/msmtprc <<END
defaults
tls on
tls_starttls $starttls
tls_trust_file /exchange/ca.pem
account default
host localhost
port $SMTP_PORT
from sender@yourdomain.com
END
  how=$(echo "${SMTP_AUTH:-on}" | tr A-Z a-z)
  [ -z "$SMTP_USER" ] || cat >>/etc/msmtprc <<END
auth $how
user $SMTP_USER
password $SMTP_KEY
END
}
