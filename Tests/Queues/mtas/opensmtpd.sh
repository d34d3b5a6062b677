# OpenSMTPD. Its retry times are in its source (400 s at first), and so is the rest of a route that
# failed (15 s at first); smtpctl is the only way to shorten them. The sixth try counts as one after
# four hours, when its sender would be told of a delay: that is put off.
. /exchange/base.sh
. /exchange/queue.sh
smtpd() {
  sed -i '1i bounce warn-interval 4d' /etc/smtpd.conf
  command smtpd "$@"
}
retry() {
  smtpctl show routes | sed -n 's/^\([0-9]*\)\..* [N-]D[Q-][K-] .*/\1/p' | while read -r route; do
    smtpctl resume route "$route"
  done
  smtpctl schedule all
}
