# Exim with a short retry rule, and a daemon that runs its queue.
. /exchange/base.sh
. /exchange/queue.sh
configure() {
  (. /exchange/base.sh && configure)
  mkdir /exchange/exim
  chown Debian-exim: /exchange/exim
  sed -i -e "s/F,1h,1s/F,1h,${RETRY}s/" -e 's|/var/log/exim4/%slog|/exchange/exim/%slog|' \
    /etc/exim4/exim4.conf
  # A child of process 1 does not go into the background by itself.
  exim4 -q1s &
}
show() { exim4 -bp; }
