# An alert, given to its API.
prometheus-alertmanager --config.file=alertmanager --storage.path=/exchange/data \
  --web.listen-address=127.0.0.1:ADMIN_PORT --cluster.listen-address= &
for _ in $(seq 100); do
  curl -sf -XPOST -H 'Content-Type: application/json' http://127.0.0.1:ADMIN_PORT/api/v2/alerts \
    -d '[{"labels":{"alertname":"DiskFull","instance":"host"}}]' && break
  sleep 0.1
done
sleep 15
