# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# a worker for each core; the tests of a file share what is made once for them
PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile

.PHONY: help demo test check lint types format coverage docs dist e2e bench crash-full clean

# One environment for everything; made anew when the dependencies change.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(VENV)/.ready ## a real old configuration, migrated step by step, with its events
	$(BIN)/python -m deploy.demo.demo

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

test: $(VENV)/.ready ## the fast tests
	$(PYTEST) -m "not slow"

lint: $(VENV)/.ready ## style and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.ready ## the types
	$(BIN)/mypy -p confmig -p confmig_otel -p tests

format: $(VENV)/.ready ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

coverage: $(VENV)/.ready ## the fast tests, with the lines and branches that they reach (build/coverage)
	mkdir -p build
	$(PYTEST) -m "not slow" --cov --cov-report=term --cov-report=html:build/coverage

docs: $(VENV)/.ready ## the pages of docs/reference that are made from code
	$(BIN)/python -m docs.make_reference

check: lint types ## lint, types, import contracts, and our own bundle
	mkdir -p build
	$(BIN)/confmig sum --check
	$(BIN)/confmig check
	$(BIN)/confmig dry-run --bundle . --exit-code --output build/dry-run.md || test $$? -eq 3

dist: $(VENV)/.ready ## the wheel and the source archive; a migration with the wheel in an environment of its own
	rm -rf dist build/installed
	$(BIN)/python -m hatchling build -d dist
	$(PYTHON) -m venv build/installed
	build/installed/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt dist/*.whl
	build/installed/bin/confmig version
	cd build/installed && bin/confmig demo --keep shop >demo.txt && tail -1 demo.txt

e2e: $(VENV)/.ready ## the slow tests: kill sweep, seeded bugs, delivery
	$(PYTEST) -m slow

crash-full: $(VENV)/.ready ## every crash harness at every point; an hour
	CONFMIG_CRASH_FULL=1 $(PYTEST) -m "slow or not slow" tests/crash

bench: $(VENV)/.ready ## measurements, as ratios
	$(BIN)/python -m bench.documents
	$(BIN)/python -m bench.bombs
	$(BIN)/python -m bench.transactions

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
