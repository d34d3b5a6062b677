# OpenSMTPD. It has no setting for its retry times, nor for the rest of a route that failed (15 s at
# first); smtpctl shortens them. After some tries it would tell the sender that the message is four
# hours late: that is put off.
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
