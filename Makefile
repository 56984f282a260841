# Verbs: demo test lint bench requirements. The first one used makes .venv from hash-pinned requirements.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALL := $(PIP) install --require-hashes --only-binary :all:

.PHONY: demo test lint bench requirements clean

demo: .venv/run.stamp
	@$(BIN)/perp-monitor demo

test: .venv/dev.stamp
	@sh tests/setup-components.sh
	@rm -f .coverage .coverage.*
	@$(BIN)/coverage run -m pytest
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --format=total | sed 's/^/branch coverage of monitor: /;s/$$/ %/'

lint: .venv/dev.stamp
	@$(BIN)/ruff format --check --quiet . || { echo "run: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo > .venv/imports.txt 2>&1 || { cat .venv/imports.txt; exit 1; }
	@$(PIP) check

bench: .venv/bench.stamp
	@$(BIN)/python tests/bench/run.py

.venv/venv.stamp:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; say make PYTHON=...") if sys.version_info < (3, 11) else 0'
	@$(PYTHON) -m venv --clear .venv 2>.venv.log || { cat .venv.log; rm -f .venv.log; \
	  echo "make: no virtual environment could be made. On Debian: apt-get install python3-venv"; exit 1; }
	@rm -f .venv.log
	@touch $@

.venv/run.stamp: requirements.txt requirements-build.txt pyproject.toml | .venv/venv.stamp
	@echo "installing the hash-pinned requirements into .venv"
	@$(INSTALL) -r requirements.txt -r requirements-build.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev.stamp: requirements-dev.txt .venv/run.stamp
	@echo "installing the development requirements into .venv"
	@$(INSTALL) -r requirements-dev.txt
	@touch $@

.venv/bench.stamp: requirements-bench.txt .venv/dev.stamp
	@echo "installing what the benches compare with into .venv"
	@$(INSTALL) -r requirements-bench.txt
	@touch $@

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

requirements: .venv/venv.stamp
	@$(PIP) install uv
	$(COMPILE) --extra fast -o requirements.txt pyproject.toml
	$(COMPILE) --extra fast --extra dev -o requirements-dev.txt pyproject.toml
	$(COMPILE) --extra fast --extra dev --extra bench -o requirements-bench.txt pyproject.toml
	printf 'editables\nhatchling\n' | $(COMPILE) --no-annotate -o requirements-build.txt -

clean:
	rm -rf .venv .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
