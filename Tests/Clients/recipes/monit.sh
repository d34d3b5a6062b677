# A file that is not there is an alert.
mkdir -p /var/lib/monit
sed 's/^set daemon 30/set daemon 5/' monit >/etc/monit/monitrc; chmod 600 /etc/monit/monitrc
echo 'check file probe with path /no/such/file' >>/etc/monit/monitrc
timeout 15 monit -I -c /etc/monit/monitrc
