# make scores   the main job on the bundled default, from nothing to a printed score table
# make test     all tests but a few that take minutes each
# make test-extra  those
# make test-slurm  the workflow on a real SLURM, where one answers
# make lint     ruff, snakefmt, mypy, snakemake --lint, hadolint
# make lock     rewrite requirements.lock from pyproject.toml
# make clean    remove results and caches; the environment stays (rm -rf .venv removes it)

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
# How many jobs that would like a GPU may run at once. Without any they run on the processor, as many as cores allow.
GPUS ?= $(or $(filter-out 0,$(shell nvidia-smi -L 2>/dev/null | grep -c ^GPU)),$(shell nproc))
MEMORY_MB ?= $(shell awk '/^MemAvailable/ {print int($$2 / 1024)}' /proc/meminfo 2>/dev/null)

.PHONY: scores test test-extra test-slurm lint lock clean environment
.DEFAULT_GOAL := scores

scores: environment
	@$(BIN)/snakemake --cores $(CORES) --quiet host reason \
	  --resources gpu=$(GPUS) ledgers=1 $(addprefix mem_mb=,$(MEMORY_MB))
	@$(BIN)/nounflow scores results/scores.tsv

test: environment
	@$(BIN)/python tests/chromium.py --fetch
	@$(BIN)/python -m pytest -n 2 --dist worksteal --durations 15

test-extra: environment
	@$(BIN)/python -m pytest -m extra -o faulthandler_timeout=1500

test-slurm: environment
	@$(BIN)/python -m pytest -m slurm -o faulthandler_timeout=1500 tests/test_slurm.py

lint: environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules/*.smk   # named one by one: of a folder it leaves out what lies below any "build"
	$(BIN)/mypy
	$(BIN)/snakemake --lint
	$(BIN)/hadolint containers/Dockerfile

environment: $(VENV)/.complete

# The stamp is touched last, so a broken-off set-up starts again.
$(VENV)/.complete: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is missing: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) --version); name another with make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "error: the venv module is missing: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what requirements.lock names into $(VENV): about 3.5 GB to fetch, 7 GB on disk (mostly PyTorch) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.13,<1'
	@$(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode --python $(BIN)/python requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

# Hashes for all platforms, no index hosts.
lock:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --all-extras pyproject.toml -o requirements.lock

clean:
	find results -mindepth 1 ! -name .gitkeep -delete
	rm -rf .snakemake .pytest_cache .ruff_cache .mypy_cache .hypothesis
