# OpenSMTPD. Its retry times are in its source (400 s at first), and so is the rest of a route that
# failed (15 s at first); smtpctl is the only way to shorten them.
. /exchange/base.sh
. /exchange/queue.sh
retry() {
  smtpctl show routes | sed -n 's/^\([0-9]*\)\..* D.*/\1/p' | while read -r route; do
    smtpctl resume route "$route"
  done
  smtpctl schedule all
}
