# What smartd runs for a disk that fails.
cp msmtp /etc/msmtprc; ln -sf /usr/bin/msmtp /usr/sbin/sendmail
chmod +x smartd-mail
export SMARTD_MAILER=/exchange/smartd-mail SMARTD_ADDRESS=alerts@example.com SMARTD_FAILTYPE=EmailTest
export SMARTD_MESSAGE='TEST EMAIL from smartd for device: /dev/sda' SMARTD_DEVICE=/dev/sda
export SMARTD_DEVICETYPE=auto SMARTD_DEVICESTRING=/dev/sda SMARTD_DEVICEINFO=Disk SMARTD_TFIRST=now
export SMARTD_TFIRSTEPOCH=0 SMARTD_PREVCNT=0
/usr/share/smartmontools/smartd_warning.sh
cat /var/log/msmtp
