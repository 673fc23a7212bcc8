# Everything a newcomer and CI need. `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.synced
# Parallel test workers; 2 suits the smallest machine we test on.
JOBS ?= 2

# Some build machines forbid compiled modules; each start of the program would compile all of it.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test check fix bench docs lint types imports tests clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Mainstem needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
	@$(BIN)/uv sync --quiet --locked --inexact --all-extras --group dev
	@touch $@

setup: $(STAMP) ## build .venv from the lock file

demo: $(STAMP) ## create the flights example from real data, run it, and say what to try
	@rm -rf demo
	@$(BIN)/mainstem init demo --template flights
	@cd demo && ../$(BIN)/mainstem run
	@cd demo && ../$(BIN)/mainstem query "select month, round(avg(mean_delay), 1) as mean_delay_minutes from marts.delays group by month order by month"
	@cat src/mainstem/project/templates/flights/NEXT.txt

test: lint types imports tests ## lint, types, import contracts, all tests

check: lint types imports ## the fast part of `make test`, and its fast tests
	@$(BIN)/pytest -q -m "not slow" -n $(JOBS)

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .

types: $(STAMP)
	@$(BIN)/mypy

imports: $(STAMP)
	@$(BIN)/lint-imports --no-cache

# In one go: the slow ones come first, and the many short ones fill the gaps that they leave.
# A test that failed beside the others is told in full, and then has the machine to itself once.
tests: $(STAMP)
	@$(BIN)/pytest -q -n $(JOBS) --dist worksteal || { test $$? -eq 1 && \
	  echo "What failed runs again, alone:" && \
	  $(BIN)/pytest -q --last-failed --last-failed-no-failures none; }

fix: $(STAMP) ## format, and mend what ruff can mend
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .

bench: $(STAMP) ## run us and the peers side by side; writes benchmarks/RESULTS.md
	@$(BIN)/python -m benchmarks

docs: $(STAMP) ## run the commands of README and guides as tests
	@$(BIN)/pytest -q tests/docs

clean: ## remove what the targets made
	@rm -rf $(VENV) .venvs demo
