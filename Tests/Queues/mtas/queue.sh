# Messages of Tests/Queues: NAME.eml with the envelope in NAME.from and NAME.to, also those that
# come while the program runs.
hand_over=
submit() {
  # shellcheck disable=SC2046 # each recipient is a word
  /usr/sbin/sendmail $hand_over -oi -f "$(cat "$name.from")" $(cat "$name.to")
}
# What makes a program try again that does not do it by itself; every $RETRY seconds.
retry() { :; }
flush() {
  for message in /exchange/*.eml; do
    name=${message%.eml}
    [ -e "$name.status" ] && continue
    submit <"$message" >"$name.out" 2>&1
    echo $? >"$name.status"
  done
  now=$(date +%s)
  [ "$now" -lt "${next:=$((now + RETRY))}" ] || { retry; next=$((now + RETRY)); }
}
