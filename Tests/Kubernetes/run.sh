#!/usr/bin/env bash
# check-kubernetes: the manifests by Kubernetes' schemas; the end of a pod carried out (root)
. "$(dirname "$0")/../lib.sh"
install_packages openssl
python_packages kubernetes kubernetes-validate==1.37.0
use_relay
timeout -k 10 120 .build/kubernetes/bin/python -m unittest discover -s Tests/Kubernetes -v
