# A fresh machine needs make and a Python >= 3.11 with its venv module; everything else is installed into .venv.
# PYTHON=/path/to/python chooses the interpreter.

VENV := .venv
PY := $(VENV)/bin/python
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help venv figures figures-full test verify lint format bench performance docs pictures clean

help:
	@echo "make figures       run the experiments: CSV and pictures in figures/ (minutes)"
	@echo "make figures-full  the same with larger samples"
	@echo "make test          the tests (minutes)        make verify   the ones that take longer"
	@echo "make lint          ruff and mypy --strict     make format   let ruff rewrite"
	@echo "make bench         workload W1 beside a bare heapq loop"
	@echo "make docs          the pages of docs/ that are printed from data"
	@echo "make pictures      the ones in README.md and docs/"
	@echo "make clean         remove .venv and caches; figures/ stays"

figures: $(VENV)/run.stamp
	$(PY) -m experiments

figures-full: $(VENV)/run.stamp
	$(PY) -m experiments --full

test: $(VENV)/dev.stamp
	$(PY) -m pytest -n $(WORKERS) -m "not verify"

verify: $(VENV)/dev.stamp
	$(PY) -m pytest -n $(WORKERS) -m verify

lint: $(VENV)/dev.stamp
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: $(VENV)/dev.stamp
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: $(VENV)/dev.stamp
	$(PY) -m benchmarks

# docs/performance.md: minutes; with libns3-dev beside ns-3
performance: $(VENV)/dev.stamp
	$(PY) -m benchmarks.performance

# pages that are printed from data
docs: $(VENV)/run.stamp
	$(PY) -m tests.draw.stack_pages
	$(PY) -m tests.rfc.page
	$(PY) -m tests.catalogue.symptoms
	$(PY) -m tests.catalogue.stories
	$(PY) -m tests.catalogue.page
	$(PY) -m tests.conformance.matrix --write
	$(PY) -m tests.web.built

# what README.md and docs/ show
SHOWN := kernel_on_the_exact_curve exact_leaks_against_loss losses_it_takes leaks_against_loss \
  growth_in_thirty_days mbufs_until_the_crash worker_until_emfile page_time_and_connections which_limit_first \
  buggy_share_and_keepalivetimeout lingering_processes_and_lost_responses

pictures: $(VENV)/run.stamp
	for name in closewait-ignored-eof lingering-close-4.4bsd post-without-authorisation retried-syn-lost-reference; do \
	  $(VENV)/bin/tcpsim run $$name --out docs/pictures/$$name.svg || exit 1; done
	$(VENV)/bin/tcpsim states --out docs/pictures/states.svg
	$(PY) -m tests.api.picture
	$(PY) -m tests.web.built --picture
	$(PY) -m experiments $(SHOWN)
	cp $(SHOWN:%=figures/%.svg) docs/pictures/

venv: $(VENV)/dev.stamp

# A stamp is younger than pyproject.toml when what it names has been installed since the last change.
$(VENV)/run.stamp: pyproject.toml
	@found=; for python in $(or $(PYTHON),python3 python3.11 python3.12 python3.13 python3.14 python); do \
	  if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	  then found=$$python; break; fi; done; \
	if $(PY) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then :; \
	elif test -n "$$found"; then "$$found" -m venv --clear $(VENV); \
	else echo "tcpsim: found no Python >= 3.11 with its venv module (tried" \
	  "$(or $(PYTHON),python3 python3.11 ... python3.14 python));" \
	  "install one, or name it: make PYTHON=/path/to/python" >&2; exit 1; fi
	$(PY) -m pip install --quiet --disable-pip-version-check --editable ".[tables]"
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp
	$(PY) -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
