#!/usr/bin/env bash
# check-deb: install, run, upgrade and purge the package in a fresh Debian (root, debootstrap)
# check-debian13: the package on Debian 13: its life, end to end, clients, TLS of OpenSSL 3.5, an upgrade from 12 (root, debootstrap)
# check-systemd: the package under a real systemd: docs/install.md step by step (root, systemd-nspawn)
. "$(dirname "$0")/../lib.sh"
case ${1:-} in
  deb)
    install_packages debootstrap openssl
    limit=900
    ;;
  debian13)
    install_packages "${test_packages[@]}" debootstrap
    limit=2400
    # The unit tests of TLS run there too.
    if [ -z "${TESTS_BINARY:-}" ]; then
      swift build --build-tests
      TESTS_BINARY=$(ls "$root"/.build/debug/*PackageTests.xctest)
    fi
    export TESTS_BINARY
    ;;
  systemd)
    install_packages debootstrap systemd-container iproute2 openssl
    limit=1200
    ;;
  *) no_such_job ;;
esac
# PACKAGE and RELAY_BINARY, the relay in it, are made unless the caller has named them.
if [ -z "${PACKAGE:-}" ]; then
  make --no-print-directory deb
  PACKAGE=$(ls .build/package/postscale-relay_"$(relay_version)"_*.deb)
  RELAY_BINARY=.build-package/release/postscale-relay
fi
use_relay
PACKAGE=$(realpath "$PACKAGE")
export PACKAGE
timeout -k 10 "$limit" "$PYTHON" -m unittest discover -s Tests/Package -p "test_$1.py" -v
