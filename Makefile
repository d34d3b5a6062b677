# postscale-relay: everything that people and CI do.
#
#   make run          the relay with its sandbox API, and a message to send
#   make test         everything that must hold
#   make check-NAME   one of the special checks, each a job of a run.sh
#   make help         all of them

SHELL := /bin/bash
.DEFAULT_GOAL := help

RELAY := .build/release/postscale-relay
PERF := .build/release/relay-perf
# Every measurement is kept, one JSON line each, for `relay-perf report`.
PERF_RESULTS ?= .build/perf.jsonl
SWIFT_SOURCES := Package.swift Sources Tests perf
CHECKS := Tests/*/run.sh perf/*/run.sh
# Functions and lists of packages that this file shares with the checks.
LIB := . Tests/lib.sh &&

export SWIFT_BACKTRACE ?= enable=no

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 28
	@echo
	@sed -n 's/^# \(check-[a-z0-9-]*\): /\1\t/p' $(CHECKS) | expand -t 28

.PHONY: deps
deps: ## Install what building and testing need (Debian packages)
	@$(LIB) install_packages "$${build_packages[@]}" "$${test_packages[@]}"

.PHONY: release
release: ## Build the relay: .build/release/postscale-relay
	@$(LIB) build_release postscale-relay

.PHONY: run
run: release ## Build and start the relay with its sandbox API on loopback
	@exec $(RELAY) --sandbox $(ARGS)

.PHONY: clean
clean: ## Remove everything that was built
	rm -rf .build .build-*

# Tests. RELAY_BINARY=path tests that relay instead of the one that is built here.

.PHONY: test
test: ## Unit tests, end to end, faults, another parser, counts
	@$(LIB) parts deps test-unit test-relay

.PHONY: test-unit
test-unit: ## Unit tests and dialogs, over epoll and io_uring (FILTER=name for some of them)
	@$(LIB) install_packages "$${build_packages[@]}"
	swift build --build-tests
	@$(LIB) unit_tests "$$(unit_tests_program)" --testing-library swift-testing

.PHONY: test-relay
test-relay: deps gate-packages perf-build ## test-e2e, test-faults, check-mime and test-gate, side by side
	@$(LIB) use_relay && relay_tests $(PERF)

.PHONY: test-e2e
test-e2e: deps ## End to end: the built relay, its sandbox, real clients, over epoll and io_uring
	@$(LIB) use_relay && end_to_end_tests

.PHONY: test-faults
test-faults: deps ## An API that misbehaves, kills, drains, overload (NAMES="Requests TLS" for some)
	@$(LIB) use_relay && under=(timeout -k 10 900) && fault_tests

.PHONY: test-gate
test-gate: gate-packages perf-build ## The counts of perf-gate that are the same on other processors
	$(PERF) gate --portable $(ARGS)

.PHONY: simulate
simulate: check-simulate ## Clients, relay and API on a simulated network: SEEDS=2000 runs; SEED=7 shows one

.PHONY: fuzz
fuzz: check-fuzz ## Fuzz one format: make fuzz TARGET=DotReader SECONDS_EACH=600

.PHONY: fuzz-smoke
fuzz-smoke: check-fuzz-smoke ## Fuzz each format for some seconds (SECONDS_EACH=20)

.PHONY: asan
asan: check-asan ## Unit tests and dialogs under AddressSanitizer and LeakSanitizer (FILTER=name)

.PHONY: tsan
tsan: check-tsan ## Unit tests and dialogs under ThreadSanitizer (FILTER=name)

# Measuring (docs/performance.md)

.PHONY: perf-build
perf-build: release
	@$(LIB) build_release relay-perf

.PHONY: perf
perf: perf-build ## Measure the relay under the standard workloads (ARGS="--only W2")
	$(PERF) suite --output $(PERF_RESULTS) $(ARGS)

.PHONY: perf-gate
perf-gate: gate-packages perf-build ## Count instructions and allocations against perf/gate/thresholds.txt
	$(PERF) gate $(ARGS)

.PHONY: gate-packages
gate-packages:
	@$(LIB) install_packages valgrind binutils openssl

# Packaging

# Swift's runtime is linked in, so that the package needs Debian's own libraries only.
.PHONY: deb
deb: ## Make the Debian package: .build/package/postscale-relay_VERSION_ARCH.deb
	@$(LIB) install_packages "$${build_packages[@]}" dpkg-dev python3 groff
	swift build -c release --static-swift-stdlib --scratch-path .build-package --product postscale-relay
	@$(LIB) deploy/debian/build.sh .build-package/release/postscale-relay "$$(relay_version)" .build/package

.PHONY: man
man: release ## Make the manual page from the flags: .build/postscale-relay.1
	@$(LIB) $(RELAY) --experimental-dump-help \
	  | "$$PYTHON" deploy/man/manual.py "$$(relay_version)" >.build/postscale-relay.1

# Before each commit

.PHONY: fmt
fmt: ## Format the Swift sources
	swift format --in-place --parallel --recursive $(SWIFT_SOURCES)

.PHONY: lint
lint: ## Check format and style
	swift format lint --strict --parallel --recursive $(SWIFT_SOURCES)

.PHONY: tidy
tidy: ## Check the house rules: lengths, state, arrows between modules, plain English
	@$(LIB) "$$PYTHON" Tests/Tidy/tidy.py --self-test && "$$PYTHON" Tests/Tidy/tidy.py

# The checks. `check-NAME` runs the run.sh with the line `# check-NAME: …`; variables of the command
# line reach it as its environment, ARGS as its arguments. These targets must not be phony: make looks
# for no pattern rule then.
check-%:
	@script=$$(grep -lE '^# check-$*: ' $(CHECKS)) \
	  || { echo "There is no check-$*; make help lists them" >&2; exit 2; }; \
	exec "$$script" $* $(ARGS)

# Other names of the same.
test-%: check-% ;

ALIASES := asan-e2e clients-table corpus fuzz-replay perf-compare perf-peers simulate-asan \
  simulate-messages simulate-mutations soak soak-kill thunderbird-pictures tsan-e2e
.PHONY: $(ALIASES) sanitize
$(ALIASES): %: check-% ;
sanitize: check-sanitizers
