# Cron runs the job at the next minute.
cp msmtp /etc/msmtprc; ln -sf /usr/bin/msmtp /usr/sbin/sendmail
mkdir -p /var/spool/cron/crontabs /etc/cron.d; rm -f /etc/cron.d/*
cp crontab /etc/crontab; chmod 644 /etc/crontab; chown root: /etc/crontab
cron -f &
sleep $((64 - $(date +%S | sed s/^0//)))
cat /var/log/msmtp
