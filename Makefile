# ftpfw: `make lab` and `make test` are all a newcomer needs; both set up what is missing.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# With its version in its name, another PYTHON finds no stamp and gets an environment of its own.
VERSION := $(shell $(PYTHON) -ISc 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
STAMP   := $(VENV)/.complete-$(VERSION)
TESTED  := $(VENV)/.with-tests-$(VERSION)

# What root leaves behind must not stand in the way of a later run without root.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo env PYTHONDONTWRITEBYTECODE=1)

.PHONY: help lab labs matrix vagrant-lab bench bench-rules bench-serve test check unit kernel vm-test vm-test-short fuzz proof server-proof format setup setup-tests clean

help: ## What can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

lab: setup ## FTP across a NAT gateway, without a helper, with the kernel's and with ours
	$(SUDO) $(BIN)/ftpfw lab run nat-gateway

labs: setup ## Every exercise of labs/
	$(SUDO) $(BIN)/ftpfw lab run

matrix: setup ## Every server, client, mode, helper and firewall (ONLY=helper=ftpfw,mode=active)
	$(SUDO) $(BIN)/ftpfw lab run matrix $(if $(ONLY),--only '$(ONLY)',--all)

vagrant-lab: setup ## FTP across a NAT gateway on virtual machines: up, the table, destroyed (LAB=…)
	$(BIN)/python tools/vagrant/lab.py $(if $(LAB),--lab $(LAB)) $(OPTIONS)

bench: setup ## The same load through the kernel's helper and ours, side by side
	$(SUDO) $(BIN)/ftpfw lab bench

bench-rules: setup ## What a thousand published servers cost a packet, on every firewall
	$(SUDO) $(BIN)/python -m tests.kernel.bench_rules $(if $(ROUNDS),--rounds $(ROUNDS))

bench-serve: setup-tests ## ftpfw serve beside vsftpd, Pure-FTPd and ProFTPD
	$(SUDO) $(BIN)/python -m tests.bench.serving $(ROUNDS)

test: check unit kernel ## Every test

unit: setup ## The tests that need neither root nor the kernel
	$(BIN)/pytest -n $(or $(WORKERS),2) tests/unit

# Most of a kernel test is waiting, and each has namespaces of its own.
kernel: setup-tests ## The tests as root, in network namespaces
	$(SUDO) $(BIN)/pytest -p no:cacheprovider -n $(or $(WORKERS),3) --dist loadgroup tests/kernel tests/browser

# On a kernel that the host need not have, where everything takes many times as long.
VM    := .vm
IN_VM := $(SUDO) FTPFW_PACE=10 nice $(BIN)/python tools/vm/run.py $(VM) -- \
	  $(BIN)/pytest -p no:cacheprovider

vm-test: setup-tests $(VM)/initrd ## Kernel tests on Debian's kernel in qemu (TESTS=tests/kernel/…, OPTIONS='-k …')
	$(IN_VM) $(OPTIONS) $(or $(TESTS),tests/kernel)

vm-test-short: setup-tests $(VM)/initrd ## A choice of them
	$(IN_VM) -v @tools/vm/short

$(VM)/initrd: tools/vm/setup tools/vm/init
	tools/vm/setup $(VM)

fuzz: setup ## Every fuzz target for MINUTES (2), then a table of what was found
	$(BIN)/python -m tests.fuzz.campaign --minutes $(or $(MINUTES),2)

SERVER_PROOF := tests/kernel/test_audit_demonstrated.py tests/kernel/test_audit_firewall.py \
                tests/kernel/test_precautions_demonstrated.py \
                tests/kernel/test_serve_uploads.py \
                tests/kernel/test_serve_differential.py \
                tests/kernel/test_serve_rates.py \
                tests/kernel/test_generated.py tests/kernel/test_converted.py

proof: setup-tests ## The tests with generated traffic, long, with a new seed
	$(SUDO) FTPFW_SEED=$$(date +%s) FTPFW_CONVERSATIONS=20000 FTPFW_STORMS=10 FTPFW_PROBES=8000 FTPFW_CUTS=40 \
	  $(BIN)/pytest -p no:cacheprovider -rP tests/kernel/test_against_kernel.py \
	  tests/kernel/test_any_segmentation.py tests/kernel/test_firewalls_alike.py \
	  tests/kernel/test_cut_short.py

server-proof: setup-tests ## Findings, options, generated and converted configurations, on the real daemons
	$(SUDO) FTPFW_SERVER_PROOF=1 $(BIN)/pytest -p no:cacheprovider -n $(or $(WORKERS),2) \
	  --dist loadgroup $(SERVER_PROOF)

check: setup ## Lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(STAMP) ## System packages and the virtual environment

$(STAMP): tools/setup tools/packages.sh pyproject.toml
	PYTHON=$(PYTHON) tools/setup $(VENV)

setup-tests: $(TESTED) ## What only the tests look at: firewalld, a browser, vagrant

$(TESTED): $(STAMP) tools/setup-tests tools/packages.sh
	tools/setup-tests
	touch $@

clean: ## Remove the virtual environment, the kernel of vm-test, the box of vagrant-lab and caches
	rm -rf $(VENV) $(VM) .vagrant-lab .mypy_cache .pytest_cache .ruff_cache .hypothesis
