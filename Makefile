# The project's commands. `make` alone lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.SILENT:
MAKEFLAGS += --no-print-directory
.PHONY: help setup demo test test-slow test-long soak lint format bench lock clean

BIN := .venv/bin
STAMP := .venv/.installed
ARGS ?=

help: ## list these commands
	awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## make .venv with the locked dependencies and the hub command

# Only what the lock names is installed, each file checked against its hash; the hub itself is
# built with the locked setuptools. A second make waits; equal content is not installed again.
define INSTALL
mkdir -p .cache
exec 9>.cache/setup.lock
if command -v flock >/dev/null; then flock 9; fi
want="$$(cat requirements.lock pyproject.toml <(pwd) | cksum)"
usable() { "$$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
if usable $(BIN)/python && [ "$$(cat $(STAMP) 2>/dev/null)" = "$$want" ]; then
  touch $(STAMP); exit 0
fi
if ! usable $(BIN)/python || [ ! -x $(BIN)/pip ]; then
  python=
  for candidate in $${PYTHON:-python3 python3.13 python3.12 python3.11 python}; do
    if usable "$$candidate"; then python="$$candidate"; break; fi
  done
  if [ -z "$$python" ]; then
    echo "setup: no Python 3.11 or later was found; install one, or name it: make setup PYTHON=/path/to/python3" >&2
    exit 1
  fi
  if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "setup: $$("$$python" -V) can't make virtual environments; install its venv package (Debian, Ubuntu: apt install python3-venv)" >&2
    exit 1
  fi
  echo "setup: making .venv with $$("$$python" -V)"
  "$$python" -m venv --clear .venv
fi
pip() { $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet "$$@"; }
echo "setup: installing $$(grep -c '^[a-z]' requirements.lock) locked packages"
pip install --require-hashes -r requirements.lock
echo "setup: installing the hub from this folder"
pip install --no-deps --no-build-isolation --editable .
echo "$$want" >$(STAMP)
echo "setup: ready, try $(BIN)/hub --help"
endef

# One shell for the whole recipe: make would start one for each line.
export INSTALL
export PYTHON
$(STAMP): requirements.lock pyproject.toml
	eval "$$INSTALL"

demo: $(STAMP) ## the whole hub on this machine with a simulated city (ARGS="--seconds 60")
	$(BIN)/hub demo $(ARGS)

test: $(STAMP) ## the tests (ARGS="-k name" to choose)
	$(BIN)/pytest -n 2 --no-loadscope-reorder $(ARGS)

test-slow: $(STAMP) ## the long tests: crashes, faults, load (SEED=n for another city)
	$(if $(SEED),HUB_TEST_SEED=$(SEED)) $(BIN)/pytest -m slow -n 2 --no-loadscope-reorder $(ARGS)

test-long: $(STAMP) ## what is too long for every change: faults on the wire, other engines
	$(BIN)/pytest -m long $(ARGS)

soak: $(STAMP) ## faults of every kind for MINUTES=30, SEED=n, REPORT=file; 1 on any violation
	PYTHONPATH=.:tests/engine $(BIN)/python tests/faults/soak.py --minutes $(or $(MINUTES),30) \
	  $(if $(SEED),--seed $(SEED)) $(if $(BROKERS),--brokers $(BROKERS)) \
	  $(if $(REPORT),--report $(REPORT)) $(ARGS)

lint: $(STAMP) ## style, types, import contracts, spelling, generated files
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy --no-error-summary
	out="$$($(BIN)/lint-imports --no-logo 2>&1)" || { echo "$$out"; exit 1; }
	$(BIN)/codespell
	$(BIN)/python -m schemas.generate --check

format: $(STAMP) ## rewrite the code in the house format
	$(BIN)/ruff check --quiet --fix-only
	$(BIN)/ruff format --quiet

bench: $(STAMP) ## how fast the stages are here, as Markdown (ARGS="--markdown ops/README.md")
	$(BIN)/hub bench all $(ARGS)

lock: ## resolve the dependencies again (ARGS=--upgrade for newer versions)
	$${PYTHON:-python3.11} -m venv --clear .cache/lock
	.cache/lock/bin/python -m pip --disable-pip-version-check --quiet install pip-tools==7.6.2
	.cache/lock/bin/pip-compile --quiet --all-extras --all-build-deps --allow-unsafe \
	  --generate-hashes --strip-extras --no-header --no-emit-index-url --no-emit-trusted-host \
	  --no-emit-find-links --annotation-style=line --output-file requirements.lock \
	  $(ARGS) pyproject.toml
	sed -i.bak -e '/^# The following packages/d' -e '/^--/d' -e '/:\/\//d' -e '/^$$/d' requirements.lock
	rm -f requirements.lock.bak

clean: ## remove .venv and every cache; data is kept
	rm -rf .venv .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache \
	  .coverage build ./*.egg-info
	find . -name __pycache__ -not -path './data/*' -prune -exec rm -rf {} +
