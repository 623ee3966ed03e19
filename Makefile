# Needs Python 3.11 or newer, make and a package index. PYTHON names another interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet
TREES := $(foreach tree,src examples bench tests,$(if $(shell find $(tree) -name '*.py' 2>/dev/null | head -n 1),$(tree)))
PYTEST := $(BIN)/python -m pytest -n 3 -m "not soak and not live"

export PIP_DISABLE_PIP_VERSION_CHECK := 1
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check bench soak docs lock clean

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/run.stamp  ## play the retail example on SQLite, then show it: no key, no server
	@$(BIN)/python -m examples.retail.demo

test: $(VENV)/browser.stamp  ## run the tests, three at a time (ARGS="-k word" narrows them)
	@$(PYTEST) $(ARGS)

check: $(VENV)/browser.stamp  ## all that must hold: format, lint, types, floor plan, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(TREES)
	$(BIN)/lint-imports --no-logo
	$(PYTEST)

bench: $(VENV)/dev.stamp  ## measure (STORE=sqlite or postgres, JSON=file keeps the figures)
	@$(BIN)/python -m bench $(if $(JSON),--json $(JSON)) --store $(or $(STORE),sqlite)

soak: $(VENV)/dev.stamp  ## hurt a fleet for ten minutes (MINUTES=n) and look for what was lost or doubled
	@$(BIN)/python -m tests.fleet.soak --minutes $(or $(MINUTES),10)

docs: $(VENV)/dev.stamp  ## run what the documentation promises, and the house rules
	@$(BIN)/python -m pytest $(wildcard tests/docs) tests/house

lock: $(BIN)/uv  ## resolve anew and rewrite requirements/
	$(BIN)/uv lock --quiet --upgrade --python $(BIN)/python
	$(BIN)/uv export --quiet --frozen --no-header --no-emit-project --no-default-groups --extra gateway -o requirements/run.txt
	$(BIN)/uv export --quiet --frozen --no-header --no-emit-project --no-default-groups --extra gateway --extra telemetry --extra postgres --extra redis --extra models -o requirements/fleet.txt
	$(BIN)/uv export --quiet --frozen --no-header --no-emit-project --only-group build -o requirements/build.txt
	$(BIN)/uv export --quiet --frozen --no-header --no-emit-project --group dev --extra gateway --extra telemetry --extra postgres --extra redis --extra models -o requirements/dev.txt

clean:  ## remove caches and build output; .venv stays
	rm -rf build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -path ./$(VENV) -prune -o -type d -name __pycache__ -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Callboard needs Python 3.11 or newer; name one: make PYTHON=...")'
	@$(PYTHON) -m venv $(VENV)

# The demo needs the libraries alone. The development set contains them, so it counts for both.
$(VENV)/run.stamp: requirements/run.txt requirements/build.txt pyproject.toml | $(BIN)/python
	@echo "installing $<"
	@$(PIP) --require-hashes -r $< -r requirements/build.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "installing $<"
	@$(PIP) --require-hashes -r $<
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $(VENV)/run.stamp $@

# Tests in a browser need one. Where none can be had they are skipped, so this never fails.
$(VENV)/browser.stamp: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.servers.browser
	@touch $@

$(BIN)/uv: | $(BIN)/python
	@$(PIP) uv
