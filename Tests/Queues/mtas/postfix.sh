# Postfix with short retry times. Everything else is Tests/Clients/mtas/postfix.sh.
. /exchange/base.sh
. /exchange/queue.sh
configure() {
  (. /exchange/base.sh && configure)
  postconf -e "minimal_backoff_time=${RETRY}s" "maximal_backoff_time=$((2 * RETRY))s" queue_run_delay=1s
  postfix reload
}
