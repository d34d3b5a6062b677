# sendmail with a short queue age, and a daemon that runs its queue.
. /exchange/base.sh
. /exchange/queue.sh
configure() {
  (. /exchange/base.sh && configure)
  sed -i "s/^O MinQueueAge=.*/O MinQueueAge=${RETRY}s/" /etc/mail/sendmail.cf
  /usr/sbin/sendmail -Am -q1s
}
hand_over="-Am"
