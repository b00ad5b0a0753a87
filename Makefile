# emrlab: `make lab` is all a learner needs. `make help` lists the rest.
SHELL := /bin/sh
VENV := .venv/bin
# The first Python 3.11 that really runs (a pyenv shim may exist and fail). Another one: make setup PYTHON=/path/to/python3.11
FIND_PYTHON = for p in $(PYTHON) python3.11 python3 python; do \
    "$$p" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done
SETUP = @python=$$($(FIND_PYTHON)); \
  if [ -z "$$python" ]; then echo "emrlab needs Python 3.11: install it (python.org, your package manager or pyenv), or say where it is: make $@ PYTHON=/path/to/python3.11" >&2; exit 1; fi; \
  "$$python" tools/setup_environment.py
PYTEST = $(VENV)/python -m pytest
# Notebooks run solved; their stored outputs are compared, made comparable by the sanitizers.
LABS = $(PYTEST) -p tests.labs.solved --nbval --nbval-sanitize-with labs/sanitize.cfg labs

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev lab test test-all lint bench lock clean

help: ## list what make can do
	@echo "emrlab: Amazon EMR on your laptop, for learning"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

setup: ## make the environment in .venv (the others do it first)
	$(SETUP)

setup-dev: # with what the tests need
	$(SETUP) --dev

lab: setup ## open JupyterLab on the first lab
	@exec $(VENV)/emrlab lab

lint: setup-dev ## check style and types
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy

test: lint ## what CI runs: style, types, tests, labs (without the slow ones)
	$(PYTEST) -m "not region and not engine and not browser and not slow"
	$(PYTEST) -m "(region or engine or browser) and not slow"
	$(LABS)

test-all: lint ## every test, the slow ones too
	$(PYTEST) -m "not region and not engine and not browser"
	$(PYTEST) -m "region or engine or browser"
	$(LABS)

bench: setup ## measure, and print a table of ratios
	$(VENV)/python -m benchmarks

lock: setup-dev ## renew the locks from pyproject.toml (make lock UPGRADE=--upgrade)
	$(VENV)/python tools/lock_environment.py $(UPGRADE)

clean: ## stop the region, remove .venv and caches (your labs' data stays: emrlab reset removes it)
	@if [ -x $(VENV)/emrlab ]; then $(VENV)/emrlab down || true; fi
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
