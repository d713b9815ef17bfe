# `make run` is all that a user needs; `make help` lists the rest.

PYTHON ?= python3
APPS   ?= firefox chromium jupyter
BENCH  ?=
SETUP  := $(PYTHON) .ci/setup.py
BIN    := .venv/bin
PYTEST := $(BIN)/python -m pytest
UV     := $(BIN)/uv pip compile --quiet --no-header --no-emit-index-url --python-version 3.11

# What runs where. No test runs twice on one database.
FAST   := not integration and not e2e
WHOLE  := integration or e2e

.DEFAULT_GOAL := help
.PHONY: run apps check lint test bench requirements clean help

run: ## Install what is missing, then serve the portal; Ctrl-C stops it, sessions keep running
	@$(SETUP) run
	@exec $(BIN)/python manage.py run

apps: ## Install optional applications: make apps APPS="firefox chromium jupyter"
	@$(SETUP) apps $(APPS)

lint:
	@$(SETUP) check
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy --no-error-summary
	$(BIN)/python manage.py makemigrations --check --dry-run --verbosity 0

check: lint ## Linters, types, import rules, migrations, unit and API tests on SQLite
	$(PYTEST) -n 2 -m "($(FAST)) and not postgres"

test: ## The whole suite: check, PostgreSQL, real sessions, the portal in a browser
	@$(SETUP) test
	@$(MAKE) --no-print-directory check
	STREAMSPACE_TEST_DB=postgres $(PYTEST) -n 2 -m "($(FAST)) and not sqlite"
	$(PYTEST) -m "$(WHOLE)"

bench: ## Measure, and print one table with the targets: make bench BENCH="api stream"
	@$(SETUP) check
	@$(BIN)/python -m tests.bench $(BENCH)

requirements: ## Resolve requirements*.in into the pinned requirements*.txt
	@$(SETUP) check
	$(UV) $(UPGRADE) requirements.in -o requirements.txt
	$(UV) $(UPGRADE) requirements-dev.in -o requirements-dev.txt
	$(UV) $(UPGRADE) requirements-apps.in -o requirements-apps.txt

clean: ## Remove what was installed and cached; .data (homes, database) stays
	rm -rf .venv .apps .cache node_modules frontend/static/vendor test-results \
		.mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
