# postscale-relay: everything that people and CI do.
#
#   make run     the relay with its sandbox API, and a message to send
#   make test    everything that must hold
#   make help    the other targets

SHELL := /bin/bash
.DEFAULT_GOAL := help

RELAY := .build/release/postscale-relay
SWIFT_SOURCES := Package.swift Sources Tests perf
# What building needs, and what the tests need besides.
BUILD_PACKAGES := libssl-dev liburing-dev pkg-config
TEST_PACKAGES := python3 python3-hypothesis swaks openssl fail2ban groff zsh fish iproute2
# Debian's, which has the Debian packages.
PYTHON := /usr/bin/python3
# The clients that `make test-clients` runs, none of them ours.
CLIENT_PACKAGES := nodejs node-nodemailer php-cli libphp-phpmailer ruby ruby-mail golang-go msmtp \
  mutt s-nail curl libauthen-sasl-perl libio-socket-ssl-perl libemail-sender-perl \
  libemail-mime-perl python3-venv python3-django php-symfony-mailer php-symfony-mime php-mail \
  php-net-smtp php-mail-mime ruby-actionmailer openjdk-17-jdk-headless libjakarta-mail-java git-email \
  sendemail
# Those of PyPI, and the folder that they are in.
PYPI_CLIENTS := twisted[tls]==26.10.0 aiosmtplib==5.1.3
PYPI := .build/pypi
# Those with windows, and what a display that nobody sees needs.
DESKTOP_PACKAGES := thunderbird claws-mail evolution xvfb xdotool dbus at-spi2-core gir1.2-atspi-2.0 \
  python3-gi libnss3-tools ca-certificates

export SWIFT_BACKTRACE ?= enable=no

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# Installs those of $(1) that are missing, with $(2) as options of apt-get; says what to do where it
# may not.
define install_packages
	@missing=""; \
	for package in $(1); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' \
	    || missing="$$missing $$package"; \
	done; \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" = 0 ]; then run=""; \
	elif command -v sudo >/dev/null; then run=sudo; \
	else echo "Please install as root: apt-get install$$missing" >&2; exit 1; fi; \
	echo "Installing$$missing"; \
	$$run apt-get update -qq \
	  && $$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(2) $$missing >/dev/null
endef

.PHONY: deps
deps: deps-build ## Install what building and testing need (Debian packages)
	$(call install_packages,$(TEST_PACKAGES))

.PHONY: deps-build
deps-build:
	$(call install_packages,$(BUILD_PACKAGES))

.PHONY: release
release: deps-build ## Build the relay: .build/release/postscale-relay
	swift build -c release --product postscale-relay

.PHONY: perf-build
perf-build: release ## Build relay-perf beside the relay (docs/performance.md)
	swift build -c release --product relay-perf

# The servers that `make perf-compare` knows.
PEER_PACKAGES := haproxy nginx libnginx-mod-mail postfix dovecot-core \
  python3-aiosmtpd python3-httpx openssl
# What `make perf-gate` counts with.
GATE_PACKAGES := valgrind binutils openssl

PERF := .build/release/relay-perf
# Every run is kept, one JSON line each, for `relay-perf report`.
PERF_RESULTS ?= .build/perf.jsonl

.PHONY: perf
perf: perf-build ## Measure the relay under the standard workloads (ARGS="--only W2")
	$(PERF) suite --output $(PERF_RESULTS) $(ARGS)

.PHONY: test-slow
test-slow: perf-build deps ## A thousand slow clients beside a normal load (SLOW_ROUNDS=7)
	RELAY_BINARY=$(RELAY) PERF_BINARY=$(PERF) python3 -m unittest discover -s Tests/Slow -v

.PHONY: perf-peers
perf-peers: ## Install the servers that perf-compare measures (Debian packages)
	$(call install_packages,$(PEER_PACKAGES))

.PHONY: perf-compare
perf-compare: perf-build ## Measure the relay and its peers in turns (ARGS="--rounds 5")
	$(PERF) compare --output $(PERF_RESULTS) $(ARGS)

.PHONY: perf-gate
perf-gate: perf-build ## Count instructions and allocations against perf/gate/thresholds.txt
	$(call install_packages,$(GATE_PACKAGES))
	$(PERF) gate $(ARGS)

.PHONY: test-gate
test-gate: perf-build ## The counts of perf-gate that are the same on other processors
	$(call install_packages,$(GATE_PACKAGES))
	$(PERF) gate --portable $(ARGS)

.PHONY: run
run: release ## Build and start the relay with its sandbox API on loopback
	exec $(RELAY) --sandbox $(ARGS)

.PHONY: test
test: deps test-unit test-e2e test-faults test-mime test-gate ## Unit tests, end to end, other parsers, counts

# Whoever opens a socket is tested on both backends: over epoll, then over io_uring.
SOCKET_TESTS := ReactorTests|RelayTests|PerfTests
URING_GRANTED = { python3 Tests/EndToEnd/uring.py granted \
  || { echo "This kernel does not allow io_uring: its tests are skipped"; exit 0; }; } \
  && echo "Again, over io_uring"

.PHONY: test-unit
test-unit: deps-build ## Unit tests and dialogs (FILTER=name for some of them)
	swift build --build-tests
	POSTSCALE_TEST_BACKEND=epoll swift test --skip-build $(if $(FILTER),--filter '$(FILTER)')
	@$(URING_GRANTED) && POSTSCALE_TEST_BACKEND=io_uring \
	  swift test --skip-build --filter '$(or $(FILTER),$(SOCKET_TESTS))'

.PHONY: test-e2e
test-e2e: release ## End to end: the built relay, its sandbox, real clients
	RELAY_BINARY=$(RELAY) RELAY_ARGUMENTS="--backend epoll" python3 -m unittest discover -s Tests/EndToEnd -v
	@$(URING_GRANTED) && RELAY_BINARY=$(RELAY) RELAY_ARGUMENTS="--backend io_uring" \
	  python3 -m unittest discover -s Tests/EndToEnd -v

TLS_PACKAGES := testssl.sh sslscan python3-venv
SSLYZE := .build/sslyze/bin/sslyze

$(SSLYZE):
	$(PYTHON) -m venv .build/sslyze
	.build/sslyze/bin/pip install --quiet --disable-pip-version-check sslyze==6.3.1

.PHONY: test-tls
test-tls: release deps ## testssl.sh, sslscan and sslyze against the built relay: nothing below A
	$(call install_packages,$(TLS_PACKAGES))
	$(MAKE) $(SSLYZE)
	RELAY_BINARY=$(RELAY) timeout -k 10 300 python3 -m unittest discover -s Tests/TLS -v

# What making and testing the Debian package needs.
PACKAGE_PACKAGES := dpkg-dev python3 groff
VERSION = $(shell sed -n 's/.*current = "\(.*\)"/\1/p' Sources/Relay/Process/RelayVersion.swift)
# Swift's runtime is linked in, so that the package needs Debian's own libraries only.
PACKAGED := .build-package/release/postscale-relay

.PHONY: package-build
package-build: deps-build
	swift build -c release --static-swift-stdlib --scratch-path .build-package --product postscale-relay

.PHONY: deb
deb: package-build ## Make the Debian package: .build/package/postscale-relay_VERSION_ARCH.deb
	$(call install_packages,$(PACKAGE_PACKAGES))
	deploy/debian/build.sh $(PACKAGED) $(VERSION) .build/package

.PHONY: test-deb
test-deb: deb ## Install, run, upgrade and purge the package in a fresh Debian (root, debootstrap)
	$(call install_packages,debootstrap openssl)
	RELAY_BINARY=$(PACKAGED) PACKAGE=$$(ls .build/package/postscale-relay_$(VERSION)_*.deb) \
	  timeout -k 10 900 python3 -m unittest discover -s Tests/Package -p test_deb.py -v

.PHONY: test-systemd
test-systemd: deb ## The package under a real systemd: docs/install.md step by step (root, systemd-nspawn)
	$(call install_packages,debootstrap systemd-container iproute2 openssl)
	RELAY_BINARY=$(CURDIR)/$(PACKAGED) \
	  PACKAGE=$$(ls $(CURDIR)/.build/package/postscale-relay_$(VERSION)_*.deb) \
	  timeout -k 10 1200 python3 -m unittest discover -s Tests/Package -p test_systemd.py -v

.PHONY: test-fleet
test-fleet: release ## Two relays behind HAProxy in network namespaces: one killed, one drained (root)
	$(call install_packages,haproxy iproute2 openssl)
	RELAY_BINARY=$(CURDIR)/$(RELAY) timeout -k 10 300 python3 -m unittest discover -s Tests/Fleet -v

KUBERNETES := .build/kubernetes/bin/python

$(KUBERNETES):
	$(PYTHON) -m venv .build/kubernetes
	.build/kubernetes/bin/pip install --quiet --disable-pip-version-check kubernetes-validate==1.37.0

.PHONY: test-kubernetes
test-kubernetes: release ## The manifests by Kubernetes' schemas; the end of a pod carried out (root)
	$(call install_packages,python3-venv openssl)
	$(MAKE) $(KUBERNETES)
	RELAY_BINARY=$(CURDIR)/$(RELAY) timeout -k 10 120 $(KUBERNETES) -m unittest discover -s Tests/Kubernetes -v

.PHONY: man
man: release ## Make the manual page from the flags: .build/postscale-relay.1
	$(RELAY) --experimental-dump-help | python3 deploy/man/manual.py $(VERSION) >.build/postscale-relay.1

.PHONY: test-metrics
test-metrics: release deps ## Metrics, alerts and board against a real Prometheus
	$(call install_packages,prometheus)
	RELAY_BINARY=$(CURDIR)/$(RELAY) timeout -k 10 300 python3 -m unittest discover -s Tests/Metrics -v

.PHONY: test-faults
test-faults: release ## An API that misbehaves, kills, drains, overload (NAMES="Requests TLS" for some)
	RELAY_BINARY=$(CURDIR)/$(RELAY) timeout -k 10 900 python3 Tests/Faults/run.py $(NAMES)

.PHONY: soak-kill
soak-kill: release ## Kill the relay again and again under load: make soak-kill ROUNDS=200
	RELAY_BINARY=$(CURDIR)/$(RELAY) python3 Tests/Faults/soak_kill.py $(or $(ROUNDS),100)

.PHONY: soak
soak: release ## Load, faults, slow and vanishing clients at once: make soak MINUTES=30
	RELAY_BINARY=$(CURDIR)/$(RELAY) python3 Tests/Faults/soak.py $(or $(MINUTES),30)

# The stamp is older than this file when other versions are pinned.
$(PYPI)/installed: Makefile
	$(PYTHON) -m venv --clear $(PYPI)
	$(PYPI)/bin/pip install --quiet --disable-pip-version-check $(PYPI_CLIENTS)
	touch $@

# Clients that cannot be installed fail their tests; CLIENTS_OPTIONAL=1 skips them with a message.
.PHONY: test-clients
test-clients: release deps ## The mail clients that people use, real ones, against the built relay
	$(if $(CLIENTS_OPTIONAL),-)$(call install_packages,$(CLIENT_PACKAGES))
	$(if $(CLIENTS_OPTIONAL),-)$(call install_packages,$(DESKTOP_PACKAGES),--no-install-recommends)
	$(if $(CLIENTS_OPTIONAL),-)$(MAKE) $(PYPI)/installed
	CLIENTS_OPTIONAL=$(CLIENTS_OPTIONAL) RELAY_BINARY=$(RELAY) \
	  timeout -k 10 1500 python3 -m unittest discover -s Tests/Clients -v

INBOX_PACKAGES := chromium chromium-driver python3-selenium fonts-dejavu-core fonts-noto-color-emoji

.PHONY: test-inbox
test-inbox: release deps ## The sandbox's inbox page in Chromium; pictures in .build/inbox
	$(call install_packages,$(INBOX_PACKAGES))
	RELAY_BINARY=$(RELAY) timeout -k 10 300 $(PYTHON) -m unittest discover -s Tests/Inbox -v

# DIFFERENTIAL_CASES and DIFFERENTIAL_SEED ask for more generated messages, and for others.
.PHONY: test-mime
test-mime: release ## Read generated messages as Python's email package does
	cd Tests/Mime && RELAY_BINARY=$(CURDIR)/$(RELAY) $(PYTHON) -m unittest -v test_differential

.PHONY: corpus
corpus: release ## Compare with other parsers' readings: make corpus DIR=folder of .eml files
	RELAY_BINARY=$(RELAY) $(PYTHON) Tests/Mime/score.py $(or $(DIR),../shared/corpus) \
	  .build/corpus.jsonl

CLIENTS_REPORT := $(abspath .build/clients/report)

.PHONY: clients-table
clients-table: ## Run the clients and write what was seen to docs/clients.md
	mkdir -p $(dir $(CLIENTS_REPORT)) && rm -f $(CLIENTS_REPORT)
	CLIENTS_REPORT=$(CLIENTS_REPORT) $(MAKE) test-clients
	python3 Tests/Clients/matrix.py $(CLIENTS_REPORT)

PICTURE_PACKAGES := imagemagick openbox x11-xserver-utils fonts-noto-color-emoji

.PHONY: thunderbird-pictures
thunderbird-pictures: release ## Take the pictures of docs/thunderbird.md again
	$(call install_packages,$(DESKTOP_PACKAGES) $(PICTURE_PACKAGES),--no-install-recommends)
	RELAY_BINARY=$(RELAY) python3 Tests/Clients/pictures.py

# Sanitizer runs have scratch folders of their own, so they never disturb a normal build. Whatever
# any process is reported for fails them, leaks too; what is not ours is named in Tests/Sanitizers.
# They take too long for CI.
SANITIZED := timeout -k 10 3600 Tests/Sanitizers/run.sh

# $(1) is the sanitizer, $(2) the scratch folder. THREAD_SANITIZER is for Sources/Reactor/Loop/Locked.swift.
build_under = swift build --sanitize=$(1) --scratch-path $(2) \
  $(if $(filter thread,$(1)),-Xswiftc -DTHREAD_SANITIZER)

define unit_tests_under
	$(build_under) --build-tests --disable-xctest
	POSTSCALE_TEST_BACKEND=epoll $(SANITIZED) $(1) swift test --skip-build --disable-xctest \
	  --sanitize=$(1) --scratch-path $(2) $(if $(FILTER),--filter '$(FILTER)')
	@$(URING_GRANTED) && POSTSCALE_TEST_BACKEND=io_uring $(SANITIZED) $(1) swift test --skip-build \
	  --disable-xctest --sanitize=$(1) --scratch-path $(2) --filter '$(or $(FILTER),$(SOCKET_TESTS))'
endef

# $(3) is debug or release.
define relay_tests_under
	$(build_under) -c $(3) --product postscale-relay
	RELAY_BINARY=$(CURDIR)/$(2)/$(3)/postscale-relay RELAY_ARGUMENTS="--backend epoll" \
	  $(SANITIZED) $(1) python3 -m unittest discover -s Tests/EndToEnd -v
	@$(URING_GRANTED) && RELAY_BINARY=$(CURDIR)/$(2)/$(3)/postscale-relay \
	  RELAY_ARGUMENTS="--backend io_uring" \
	  $(SANITIZED) $(1) python3 -m unittest discover -s Tests/EndToEnd -v
	RELAY_BINARY=$(CURDIR)/$(2)/$(3)/postscale-relay \
	  $(SANITIZED) $(1) python3 Tests/Faults/run.py $(NAMES)
endef

.PHONY: asan
asan: deps-build ## Unit tests and dialogs under AddressSanitizer and LeakSanitizer
	$(call unit_tests_under,address,.build-asan)

.PHONY: tsan
tsan: deps-build ## Unit tests and dialogs under ThreadSanitizer
	$(call unit_tests_under,thread,.build-tsan)

.PHONY: asan-e2e
asan-e2e: deps ## End to end and faults, the relay under AddressSanitizer and LeakSanitizer
	$(call relay_tests_under,address,.build-asan,release)

# Over the debug build that `make tsan` has made: a second one takes long.
.PHONY: tsan-e2e
tsan-e2e: deps ## End to end and faults, the relay under ThreadSanitizer
	$(call relay_tests_under,thread,.build-tsan,debug)

.PHONY: sanitize
sanitize: asan asan-e2e simulate-asan tsan tsan-e2e ## All of these and simulate-asan, for hours

FUZZER := .build-fuzz/release/Fuzz
FUZZ_TARGETS = $(shell grep -oh 'name: "[A-Za-z0-9]*"' Tests/Fuzz/*Targets.swift | cut -d'"' -f2)

.PHONY: fuzz-build
fuzz-build: deps-build
	POSTSCALE_HARNESS=fuzz swift build -c release --scratch-path .build-fuzz --product Fuzz \
	  -Xswiftc -sanitize=fuzzer,address -Xswiftc -enable-testing

.PHONY: fuzz
fuzz: fuzz-build ## Fuzz one target: make fuzz TARGET=DotReader SECONDS_EACH=600
	Tests/Fuzz/run.sh $(TARGET) $(or $(SECONDS_EACH),60)

# Two at a time, each for its seconds; the status is that of the worst.
.PHONY: fuzz-smoke
fuzz-smoke: fuzz-build ## Every fuzz target for some seconds each (SECONDS_EACH=20)
	printf '%s\n' $(FUZZ_TARGETS) | xargs -P 2 -I{} Tests/Fuzz/run.sh {} $(or $(SECONDS_EACH),20)

.PHONY: fuzz-replay
fuzz-replay: fuzz-build ## Run one input again: make fuzz-replay TARGET=Mapper INPUT=path
	FUZZ_TARGET=$(TARGET) $(FUZZER) $(INPUT)

# The simulated network (docs/reliability.md): the relay, its clients and the API in one thread from
# one seed. FIRST is the first seed; SEED replays one, step by step.
SIMULATE := .build-simulation/release/Simulate
SANITIZED_SIMULATE = $(SANITIZED) address .build-simulation-asan/release/Simulate
SEEDS ?= 2000
FIRST ?= 1
MESSAGES ?= 1000000

.PHONY: simulate-build
simulate-build: deps-build
	POSTSCALE_HARNESS=simulation swift build -c release --scratch-path .build-simulation \
	  --product Simulate -Xswiftc -enable-testing

.PHONY: simulate
simulate: simulate-build ## The simulated network: SEEDS=2000 runs; SEED=7 shows one
	@if [ -n "$(SEED)" ]; then $(SIMULATE) replay$(if $(COUNTING),-counting) $(SEED); else \
	  $(SIMULATE) check-balance && $(SIMULATE) sweep $(FIRST) \
	  && $(SIMULATE) seeds $(FIRST) $(SEEDS); fi

# One thread, so ThreadSanitizer would have nothing to say.
.PHONY: simulate-asan
simulate-asan: SEEDS = 10000
simulate-asan: deps-build ## The same under AddressSanitizer and LeakSanitizer (SEEDS=10000)
	POSTSCALE_HARNESS=simulation swift build -c release --scratch-path .build-simulation-asan \
	  --product Simulate -Xswiftc -enable-testing --sanitize=address
	$(SANITIZED_SIMULATE) check-balance && $(SANITIZED_SIMULATE) sweep $(FIRST) \
	  && $(SANITIZED_SIMULATE) seeds $(FIRST) $(SEEDS)

.PHONY: simulate-messages
simulate-messages: simulate-build ## Runs until MESSAGES=1000000 were handed in, and their counts
	nice -n 19 $(SIMULATE) messages $(FIRST) $(MESSAGES)

.PHONY: simulate-mutations
simulate-mutations: deps-build ## Break the relay on purpose: does the simulation notice? (NAMES="group drain")
	nice -n 5 python3 Tests/Simulation/mutations.py $(NAMES)

.PHONY: fmt
fmt: ## Format the Swift sources
	swift format --in-place --parallel --recursive $(SWIFT_SOURCES)

.PHONY: lint
lint: ## Check format and style
	swift format lint --strict --parallel --recursive $(SWIFT_SOURCES)

.PHONY: tidy
tidy: ## Check the house rules: lengths, layers, leftovers
	python3 Tests/Tidy/tidy.py

.PHONY: clean
clean: ## Remove everything that was built
	rm -rf .build .build-*
