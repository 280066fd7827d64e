# ftpfw: `make lab` and `make test` are all a newcomer needs; both set up what is missing.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SUDO   := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help lab bench test check unit format setup clean

help: ## What can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

lab: setup ## FTP across a NAT gateway, without a helper, with the kernel's and with ours
	$(SUDO) $(BIN)/ftpfw lab run nat-gateway

bench: setup ## The same load through the kernel's helper and ours, side by side
	$(SUDO) $(BIN)/ftpfw lab bench

test: check ## Every test: units, and the kernel ones in network namespaces
	$(SUDO) $(BIN)/pytest

unit: setup ## The tests that need neither root nor the kernel
	$(BIN)/pytest tests/unit

check: setup ## Lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(VENV)/.complete ## System packages and the virtual environment

$(VENV)/.complete: tools/setup pyproject.toml
	PYTHON=$(PYTHON) tools/setup $(VENV)
	@touch $@

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
