#!/usr/bin/env bash
# Prometheus Alertmanager 0.25.0: a refusal of the content is taken for success.
#
# It closes the content and does not look at the reply: a 451 or a 550 after the final dot is neither
# logged nor tried again, and its metrics count the notification as sent. A refusal before the content,
# here 451 at RCPT, is logged and tried again. Seen 2026-11-30:
#
#   451 or 550 after the dot: one session, no line in the log, no failure counted
#   451 at RCPT: "Notify attempt failed, will retry later"
#
# For a server: what it wants an Alertmanager to know, it must say before DATA. For an operator: an
# alert that did not arrive is seen in the server's log alone.
packages="prometheus-alertmanager=0.25.0-1+b4"
. "$(dirname "$0")/lib.sh"

ask() {
  python3 - "$@" <<'PROGRAM'
import sys, urllib.request
request = urllib.request.Request(
    "http://127.0.0.1:9093" + sys.argv[1], sys.argv[2].encode() if sys.argv[2:] else None,
    {"Content-Type": "application/json"})
print(urllib.request.urlopen(request, timeout=5).read().decode())
PROGRAM
}

# try NAME RULE: one alert, to a server with this rule.
try() {
  listen "$1" "$2"
  cat >"$1.yml" <<'CONFIGURATION'
global: {smtp_smarthost: "localhost:2525", smtp_from: s@example.com, smtp_require_tls: false}
route: {receiver: mail, group_wait: 1s, group_interval: 4s, repeat_interval: 1h}
receivers: [{name: mail, email_configs: [{to: a@example.net}]}]
CONFIGURATION
  prometheus-alertmanager --config.file="$1.yml" --storage.path="$1.data" \
    --web.listen-address=127.0.0.1:9093 --cluster.listen-address= 2>"$1.log" &
  alertmanager=$!
  within 15 "Alertmanager" ask /-/ready
  ask /api/v2/alerts '[{"labels":{"alertname":"DiskFull"}}]' >/dev/null
  within 15 "$1" grep -q "$3" "$1"
  sleep 6
  ask /metrics >"$1.metrics"
  kill "$alertmanager"
  wait "$alertmanager" || :
}

failures() {
  sed -n 's/^alertmanager_notification_requests_failed_total{integration="email"} //p' "$1.metrics"
}

for reply in "451 later" "550 no"; do
  name=dot-${reply%% *}
  try "$name" ".=$reply" content
  [ "$(grep -c content "$name")" = 1 ] || changed "it tries again after $reply"
  ! grep -q -i "fail" "$name.log" || changed "it logs $reply"
  [ "$(failures "$name")" = 0 ] || changed "it counts $reply"
done
try rcpt "RCPT=451 later" RCPT
grep -q "Notify attempt failed" rcpt.log || changed "it does not log a refusal at RCPT"
[ "$(grep -c RCPT rcpt)" -gt 1 ] || changed "it does not try again after a refusal at RCPT"
