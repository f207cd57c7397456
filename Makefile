# Everything a newcomer needs: Python 3.11 or newer with its venv module, and make. `make` alone lists the targets.

PYTHON ?= python3
# Left empty, it is as many as suit two cores: the quick tests take three, as one that waits for a program leaves its core to another.
PYTEST_WORKERS ?=
ARGS ?=

# whoever forbids it in their shell would have each process that a test starts compile everything anew
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
STAMP := $(VENV)/.made
LOG := $(VENV)/setup.log
CLIENTS := tests/clients/js
PACKAGES := $(CLIENTS)/node_modules/.package-lock.json
PROGRAMS := $(VENV)/clients/.made
AZ := $(VENV)/az/.made
BENCH := $(VENV)/.made-bench
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --no-input

# $(call quietly,COMMAND): the command's output is shown only when it fails.
quietly = $(1) >$(LOG) 2>&1 || { status=$$?; cat $(LOG) >&2; echo "make: failed: $(1)" >&2; exit $$status; }

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run test test-long test-fleet test-clients contoso check bench simulate dashboards clean setup-system lock

help: ## List the targets
	@echo "make TARGET [ARGS=\"...\"]"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target what; do \
		printf '%-16s%s\n' "$$target" "$$what"; done

setup: $(STAMP) ## Make the virtual environment .venv (the other targets do it when it is needed)

run: $(STAMP) ## Start the vault, its worker and a simulated CA on this machine
	@$(VENV)/bin/certworker dev --demo $(ARGS)

test: $(STAMP) ## Run the tests (PYTEST_WORKERS=3, ARGS="tests/vault -k renew")
	@$(VENV)/bin/python -m pytest -m "not long and not fleet" --ignore=tests/clients -n $(or $(PYTEST_WORKERS),3) --dist worksteal $(ARGS)

test-long: $(STAMP) ## Run the long stories: services that are run, lost machines, sealed starts, years of a key
	@$(VENV)/bin/python -m pytest -m long -n $(or $(PYTEST_WORKERS),2) $(ARGS)

test-fleet: $(STAMP) ## Run the stories of thousands of certificates (half an hour and more)
	@$(VENV)/bin/python -m pytest -m fleet -n $(or $(PYTEST_WORKERS),2) $(ARGS)

test-clients: $(STAMP) $(PACKAGES) $(PROGRAMS) $(AZ) ## Run the tests with what others wrote: Azure's SDKs and az, ACME clients and servers
	@$(VENV)/bin/python -m pytest tests/clients -m "not long" -n $(or $(PYTEST_WORKERS),2) $(ARGS)

contoso: $(STAMP) $(AZ) ## Play the example of Contoso with az: four roles, a vault, its log, and who may do what
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" CERTWORKER_AZ="$(CURDIR)/$(VENV)/az/bin/az" tests/clients/contoso.sh $(ARGS)

check: $(STAMP) ## Lint, format, types and the rules of the house: all of them, even if one fails
	@failed=""; \
	step() { name="$$1"; shift; echo "check: $$name"; "$$@" || failed="$$failed [$$name]"; }; \
	step "ruff check" $(VENV)/bin/ruff check --quiet .; \
	step "ruff format" $(VENV)/bin/ruff format --quiet --diff .; \
	step "mypy" $(VENV)/bin/mypy; \
	step "rules of the house" $(VENV)/bin/python -m pytest -q tests/test_house.py; \
	if [ -n "$$failed" ]; then echo "check: failed:$$failed" >&2; exit 1; fi; \
	echo "check: all is well"

bench: $(BENCH) ## Measure how fast it is, beside OpenBao; writes build/bench.json (some minutes; needs wrk; ARGS="scrapes": one part)
	@$(VENV)/bin/python -m tests.bench $(ARGS)

simulate: $(STAMP) ## Play years of a fleet; writes build/simulate-*.json and .png (half an hour; needs certworker[plot])
	@mkdir -p build
	@$(VENV)/bin/certworker simulate --certificates 1000 --days 365 --scenario config/simulate.toml --exchange acme \
		--processes $(or $(PYTEST_WORKERS),2) --plot build/simulate-acme.png --json $(ARGS) > build/simulate-acme.json
	@$(VENV)/bin/certworker simulate --certificates 10000 --days 1095 --scenario config/simulate-fleet.toml --exchange port \
		--processes $(or $(PYTEST_WORKERS),2) --plot build/simulate-port.png --json $(ARGS) > build/simulate-port.json

dashboards: $(STAMP) ## Write the Grafana dashboards anew from dashboards/source
	@$(VENV)/bin/python -m dashboards.build

lock: $(STAMP) ## Write requirements.lock anew from pyproject.toml (ARGS=--upgrade for newer versions)
	@echo "Resolving pyproject.toml into requirements.lock"
	@$(VENV)/bin/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --all-extras \
		--group test --group check --python-version 3.11 pyproject.toml -o requirements.lock -q $(ARGS)
	@$(VENV)/bin/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		tests/bench/requirements.in -o tests/bench/requirements.lock -q $(ARGS)
	@$(VENV)/bin/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		tests/clients/requirements.in -o tests/clients/requirements.lock -q $(ARGS)
	@$(VENV)/bin/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		tests/clients/az/requirements.in -o tests/clients/az/requirements.lock -q $(ARGS)

clean: ## Remove .venv, node_modules, build products and caches (no data: a home folder is never touched)
	@echo "Removing .venv, node_modules, build products and caches"
	@rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis $(CLIENTS)/node_modules
	@find certworker ca_sim tests -type d -name __pycache__ -prune -exec rm -rf {} +

setup-system: ## Install the system programs that some tests need (Debian; needs root)
	@.ci/setup-system

# The stamp is as new as the lock and the project's description; it is touched only when all went well. A virtual
# environment whose Python is gone (an upgraded system, a moved folder) is made from nothing.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "certworker needs Python 3.11 or newer; '$(PYTHON)' says: $$($(PYTHON) --version 2>&1)" >&2; \
		echo "Name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making the virtual environment $(VENV) with $$($(PYTHON) --version)"
	@mkdir -p $(VENV)
	@clear=""; $(VENV)/bin/python -c 'import pip' 2>/dev/null || clear=--clear; $(PYTHON) -m venv $$clear $(VENV)
	@echo "Installing what requirements.lock names (the first time takes a minute)"
	@$(call quietly,$(PIP) install --require-hashes -r requirements.lock)
	@echo "Installing certworker itself, editable"
	@$(call quietly,$(PIP) install --no-deps --no-build-isolation --editable .)
	@rm -f $(LOG)
	@touch $@

# OpenBao is large, and only the benchmark wants it.
$(BENCH): tests/bench/requirements.lock $(STAMP)
	@echo "Installing what tests/bench/requirements.lock names"
	@$(call quietly,$(PIP) install --require-hashes -r tests/bench/requirements.lock)
	@rm -f $(LOG)
	@touch $@

# They are in an environment of their own: what certbot needs, and in which release, is not ours to settle.
$(PROGRAMS): tests/clients/requirements.lock | $(STAMP)
	@echo "Installing what tests/clients/requirements.lock names, into $(VENV)/clients"
	@$(call quietly,$(PYTHON) -m venv $(VENV)/clients)
	@$(call quietly,$(VENV)/clients/bin/pip --disable-pip-version-check --no-input install --require-hashes -r $<)
	@rm -f $(LOG)
	@touch $@

# azure-cli pins all that it needs, some of it in releases that nobody else wants. It is large: three minutes, 730 MB.
$(AZ): tests/clients/az/requirements.lock | $(STAMP)
	@echo "Installing what tests/clients/az/requirements.lock names, into $(VENV)/az (this takes some minutes)"
	@$(call quietly,$(PYTHON) -m venv $(VENV)/az)
	@$(call quietly,$(VENV)/az/bin/pip --disable-pip-version-check --no-input install --require-hashes -r $<)
	@rm -f $(LOG)
	@touch $@

# npm writes this file itself, when everything is there.
$(PACKAGES): $(CLIENTS)/package-lock.json | $(STAMP)
	@command -v npm >/dev/null || { echo "test-clients needs node and npm: make setup-system installs them" >&2; exit 1; }
	@echo "Installing what $(CLIENTS)/package-lock.json names"
	@$(call quietly,npm ci --prefix $(CLIENTS) --ignore-scripts --no-audit --no-fund)
	@touch $@
