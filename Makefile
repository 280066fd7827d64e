# ftpfw: `make lab` and `make test` are all a newcomer needs; both set up what is missing.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# With its version in its name, another PYTHON finds no stamp and gets an environment of its own.
VERSION := $(shell $(PYTHON) -ISc 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
STAMP   := $(VENV)/.complete-$(VERSION)

# What root leaves behind must not stand in the way of a later run without root.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo env PYTHONDONTWRITEBYTECODE=1)

.PHONY: help lab bench test check unit kernel vm-test vm-test-short fuzz proof format setup clean

help: ## What can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

lab: setup ## FTP across a NAT gateway, without a helper, with the kernel's and with ours
	$(SUDO) $(BIN)/ftpfw lab run nat-gateway

bench: setup ## The same load through the kernel's helper and ours, side by side
	$(SUDO) $(BIN)/ftpfw lab bench

test: check unit kernel ## Every test

unit: setup ## The tests that need neither root nor the kernel
	$(BIN)/pytest tests/unit

# Most of a kernel test is waiting, and each has namespaces of its own.
kernel: setup ## The tests as root, in network namespaces
	$(SUDO) $(BIN)/pytest -p no:cacheprovider -n $(or $(WORKERS),2) --dist loadgroup tests/kernel

# On a kernel that the host need not have, where everything takes many times as long.
VM    := .vm
IN_VM := $(SUDO) FTPFW_PACE=10 nice $(BIN)/python tools/vm/run.py $(VM) -- \
	  $(BIN)/pytest -p no:cacheprovider

vm-test: setup $(VM)/initrd ## Kernel tests on Debian's kernel in qemu (TESTS=tests/kernel/…, OPTIONS='-k …')
	$(IN_VM) $(OPTIONS) $(or $(TESTS),tests/kernel)

vm-test-short: setup $(VM)/initrd ## A choice of them
	$(IN_VM) -v @tools/vm/short

$(VM)/initrd: tools/vm/setup tools/vm/init
	tools/vm/setup $(VM)

fuzz: setup ## Every fuzz target for MINUTES (2), then a table of what was found
	$(BIN)/python -m tests.fuzz.campaign --minutes $(or $(MINUTES),2)

proof: setup ## The tests against nf_conntrack_ftp and of any segmentation, long, with a new seed
	$(SUDO) FTPFW_SEED=$$(date +%s) FTPFW_CONVERSATIONS=20000 FTPFW_STORMS=10 \
	  $(BIN)/pytest -p no:cacheprovider -rP tests/kernel/test_against_kernel.py \
	  tests/kernel/test_any_segmentation.py

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

clean: ## Remove the virtual environment, the kernel of vm-test and caches
	rm -rf $(VENV) $(VM) .mypy_cache .pytest_cache .ruff_cache .hypothesis
