# `make` alone lists the verbs.
PYTHON ?= python3
# `make run BIN=/elsewhere/bin` takes what is installed there, and installs nothing.
BIN := .venv/bin
INSTALLED := $(if $(filter .venv/bin,$(BIN)),.venv/run)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes

.PHONY: help setup run test soak lint types imports scan hooks bench docs pictures lock clean
.DEFAULT_GOAL := help

help: ## list the verbs
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

.venv/python:
	$(PYTHON) scripts/bootstrap.py .venv
	touch $@

.venv/run: .venv/python requirements.lock pyproject.toml
	$(PIP) -r requirements.lock
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation -e .
	touch $@

.venv/dev: .venv/run requirements-dev.lock client/pyproject.toml
	$(PIP) -r requirements-dev.lock
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation -e client
	touch $@

setup: .venv/dev ## install everything, for running and for developing, into .venv

run: $(INSTALLED) ## serve on 127.0.0.1:8000, with a PostgreSQL of its own under ./data
	$(BIN)/perpstore serve

test: .venv/dev ## all tests but the soaks, three at a time: many wait for a server or a browser
	$(BIN)/python -m pytest -n 3 --dist loadfile

soak: .venv/dev ## long runs: kill loops
	$(BIN)/python -m pytest -m soak

lint: .venv/dev ## ruff and oxlint: faults and form
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/oxlint --deny-warnings app/dashboard/static

types: .venv/dev ## pyright, strict on app/ and client/
	$(BIN)/pyright

imports: .venv/dev ## which room may see which
	$(BIN)/lint-imports

scan: .venv/dev ## look for keys in every file: half a minute, so not part of lint
	$(BIN)/pre-commit run secrets --all-files

hooks: .venv/dev ## have git check what is committed: keys, faults, form
	$(BIN)/pre-commit install

bench: .venv/dev ## speed and memory, as ratios measured side by side; one part: ONLY=dashboard
	$(BIN)/python -m tests.bench $(ONLY)

docs: .venv/dev ## generate pages, run the examples in them, build site/
	$(BIN)/python scripts/docs.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

pictures: .venv/dev ## take the pictures of the dashboard anew: docs/images
	$(BIN)/python scripts/screenshots.py

lock: .venv/dev ## pin the dependencies anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --upgrade pyproject.toml scripts/build.in -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --upgrade --group dev -c requirements.lock -o requirements-dev.lock

clean: ## remove what was installed and built; data stays
	rm -rf .venv dist site
