#!/usr/bin/env bash
# check-tls: testssl.sh, sslscan and sslyze against the built relay: nothing below A
. "$(dirname "$0")/../lib.sh"
install_packages testssl.sh sslscan openssl
python_packages sslyze sslyze==6.3.1
use_relay
timeout -k 10 300 "$PYTHON" -m unittest discover -s Tests/TLS -v
