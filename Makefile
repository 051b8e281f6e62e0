# Every target sets itself up in .venv: it needs Python 3.11 or newer and a package index, nothing else.

PYTHON ?= python3
# Test processes; each imports TensorFlow, about 0.5 GB.
WORKERS ?= 2
# For pytest or a benchmark, as in: make test ARGS="tests/features -x"
ARGS ?=
# Names of benchmarks, as in: make bench BENCH=convergence ARGS=--quick
BENCH ?= $(basename $(notdir $(wildcard benchmarks/[a-z]*.py)))

BIN := .venv/bin
DEV := .venv/.dev-installed
DOCS := .venv/.docs-installed
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt

# The same rounding on every processor, and no two test processes on one graphics card.
test: export TF_ENABLE_ONEDNN_OPTS := 0
test: export CUDA_VISIBLE_DEVICES := -1
test bench docs: export TF_CPP_MIN_LOG_LEVEL := 3

.PHONY: help demo test check bench docs

help:
	@echo "make demo   train on the UCI Adult data, raw and prepared"
	@echo "make test   tests and the examples in docstrings"
	@echo "make check  ruff and mypy"
	@echo "make bench  every benchmark, or BENCH=convergence, into benchmarks/results/"
	@echo "make docs   the site, into docs/_build/; runs every script in examples/"

demo: $(DEV)
	@$(BIN)/prepkit demo

test: $(DEV)
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal $(ARGS)

check: $(DEV)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(DEV)
	@set -e; for name in $(BENCH); do echo "== $$name"; $(BIN)/python benchmarks/$$name.py $(ARGS); done

docs: $(DOCS)
	@set -e; for script in $(wildcard examples/[a-z]*.py); do echo "== $$script"; $(BIN)/python $$script; done
	@$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build

$(DEV): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit(0 if sys.version_info >= (3, 11) else \
		f"prepkit needs Python 3.11 or newer; $(PYTHON) is {v}. Name another: make PYTHON=python3.11 ...")'
	@echo "Setting up .venv, once; TensorFlow alone is 0.6 GB ..."
	@$(PYTHON) -m venv .venv
	@$(PIP) -e '.[dev]'
	@touch $@

$(DOCS): $(DEV)
	@$(PIP) -e '.[docs]'
	@touch $@
