# Requires make and Python 3.11 or later with its venv module. Everything else is installed into .venv.

VENV ?= .venv
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p && break; done)
SUPPORTED = import sys; sys.exit(sys.version_info < (3, 11))

BIN = $(VENV)/bin
INSTALL = $(BIN)/python -m pip --disable-pip-version-check --quiet install --no-deps
# Twice as many workers as cores: many tests wait for processes, servers and clocks.
WORKERS = $(shell $(BIN)/python -c 'import os; print(min(8, 2 * os.cpu_count()))' 2>/dev/null || echo 4)
# Keep the bytecode cache: tests start many processes, and each would compile the service again.
PYTEST = env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=worksteal
SERVICE_CODE = $(wildcard domain application projections adapters api subusers tests examples benchmarks tools)
CODE = $(SERVICE_CODE) $(wildcard clients)
COMPILE = $(BIN)/uv pip compile --quiet --no-config --universal --python-version=3.11 --generate-hashes \
	--custom-compile-command='make lock' $(UPGRADE)
COMPILE_SERVICE = $(COMPILE) --group=pyproject.toml:build pyproject.toml

# The Python client has a virtual environment of its own, with the frameworks that it integrates.
CLIENT = clients/python
CLIENT_VENV = $(CLIENT)/$(notdir $(VENV))
CLIENT_BIN = $(CLIENT_VENV)/bin
CLIENT_INSTALL = $(CLIENT_BIN)/python -m pip --disable-pip-version-check --quiet install --no-deps

# The generators of clients and the validators have environments of their own, because they are no part of the service.
GENERATORS = tests/generators
GENERATORS_VENV = $(GENERATORS)/.venv
GENERATORS_BIN = $(GENERATORS_VENV)/bin

.PHONY: help run test test-long test-evidence test-roles test-client test-generators check format lock bench bench-short screenshots install install-dev clean

help:
	@echo 'make run          start the service with its own PostgreSQL on http://127.0.0.1:8000'
	@echo 'make test         run the test suite (ARGS="-k login" for a part of it)'
	@echo 'make test-long    run the tests that take minutes'
	@echo 'make test-evidence run 1,000 random edits of an evidence pack, all of which the verifier must find'
	@echo 'make test-roles   compare 100,000 random models of roles with Cedar, and race 10,000 withdrawals with checks'
	@echo 'make test-client  run the tests and type checks of the Python client, against a service of its own'
	@echo 'make test-generators generate clients from the OpenAPI document and run them; validate the events (needs npm and Java)'
	@echo 'make check        check formatting, lint, types and import contracts'
	@echo 'make format       format the code and sort its imports'
	@echo 'make lock         rewrite the lock files from pyproject.toml (UPGRADE=--upgrade for newer versions)'
	@echo 'make bench        measure every line of docs/performance.md and write the page (half an hour or more)'
	@echo 'make bench-short  measure every line on less data, within 10 minutes'
	@echo 'make screenshots  take new screenshots of the console with the installed Chromium'
	@echo 'make clean        remove .venv and the caches'

run: install
	@exec $(BIN)/subusers serve $(ARGS)

test: install-dev
	$(PYTEST) $(ARGS)

test-long: install-dev
	$(PYTEST) -m long $(ARGS)

test-evidence: install-dev
	$(BIN)/python -m pytest -m long tests/cli/test_evidence.py $(ARGS)

test-roles: install-dev
	$(PYTEST) -m long tests/access tests/processes/test_access_revocation.py $(ARGS)

test-client: install $(CLIENT_VENV)/.installed
	cd $(CLIENT) && $(abspath $(CLIENT_BIN))/mypy
	cd $(CLIENT) && SUBUSERS_COMMAND=$(abspath $(BIN))/subusers $(abspath $(CLIENT_BIN))/python -m pytest $(ARGS)

test-generators: install-dev $(GENERATORS_VENV)/.installed $(GENERATORS)/node_modules/.installed
	$(PYTEST) -m long $(GENERATORS) $(ARGS)

check: install-dev
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy $(SERVICE_CODE)
	cd $(CLIENT) && $(abspath $(BIN))/mypy
	$(BIN)/lint-imports --no-cache

format: install-dev
	$(BIN)/ruff check --select=I --fix $(CODE)
	$(BIN)/ruff format $(CODE)

lock: install-dev
	$(COMPILE_SERVICE) --output-file=requirements.lock
	$(COMPILE_SERVICE) --group=pyproject.toml:dev --constraint=requirements.lock --output-file=requirements-dev.lock
	$(COMPILE) --group=$(CLIENT)/pyproject.toml:test --all-extras --constraint=requirements-dev.lock \
		--output-file=$(CLIENT)/requirements-test.lock $(CLIENT)/pyproject.toml
	$(COMPILE) --group=$(GENERATORS)/pyproject.toml:generators --output-file=$(GENERATORS)/requirements.lock

bench: install-dev
	$(BIN)/python -m benchmarks.run $(ARGS)

bench-short: install-dev
	$(BIN)/python -m benchmarks.run --short $(ARGS)

screenshots: install-dev
	$(BIN)/python -m tests.browser.screenshots

install: $(VENV)/.installed

install-dev: $(VENV)/.installed-dev

# A stamp file is newer than its prerequisites. pip skips packages that are already installed.
$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/.created
	@echo 'Installing the packages of requirements.lock into $(VENV)'
	@$(INSTALL) --require-hashes --requirement requirements.lock
	@$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo 'Installing the packages of requirements-dev.lock into $(VENV)'
	@$(INSTALL) --require-hashes --requirement requirements-dev.lock
	@touch $@

$(CLIENT_VENV)/.installed: $(CLIENT)/requirements-test.lock $(CLIENT)/pyproject.toml
	@"$(PYTHON)" -c '$(SUPPORTED)' 2>/dev/null || { echo 'subusers needs Python 3.11 or later: make PYTHON=/path/to/python3' >&2; exit 1; }
	@echo 'Installing the packages of $(CLIENT)/requirements-test.lock into $(CLIENT_VENV)'
	@"$(PYTHON)" -m venv $(CLIENT_VENV)
	@$(CLIENT_INSTALL) --require-hashes --requirement $(CLIENT)/requirements-test.lock
	@$(CLIENT_INSTALL) --no-build-isolation --editable $(CLIENT)
	@touch $@

$(GENERATORS_VENV)/.installed: $(GENERATORS)/requirements.lock
	@echo 'Installing the packages of $(GENERATORS)/requirements.lock into $(GENERATORS_VENV)'
	@"$(PYTHON)" -m venv $(GENERATORS_VENV)
	@$(GENERATORS_BIN)/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes \
		--requirement $(GENERATORS)/requirements.lock
	@touch $@

$(GENERATORS)/node_modules/.installed: $(GENERATORS)/package-lock.json
	@npm ci --prefix $(GENERATORS) --no-audit --no-fund
	@touch $@

$(VENV)/.created:
	@"$(PYTHON)" -c '$(SUPPORTED)' 2>/dev/null || { echo 'subusers needs Python 3.11 or later: make PYTHON=/path/to/python3' >&2; exit 1; }
	"$(PYTHON)" -m venv --clear $(VENV)
	@touch $@

clean:
	rm -rf $(VENV) $(CLIENT_VENV) $(GENERATORS_VENV) $(GENERATORS)/node_modules $(CLIENT)/.mypy_cache $(CLIENT)/.pytest_cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.* *.egg-info
	find $(CODE) -type d -name __pycache__ -prune -exec rm -rf {} +
