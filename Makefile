# Everything a person or CI does with the project starts here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SCALE ?= 1

.PHONY: setup demo test lint proof bench clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "shoplake needs Python 3.11 or later (found $$($(PYTHON) --version)); set PYTHON=..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup
	$(BIN)/shoplake --home .demo demo --scale $(SCALE)

test: setup lint
	$(BIN)/python -m pytest -n 2 -m "not proof"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

proof: setup
	$(BIN)/python -m pytest -m proof

bench: setup
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) .venv-peers .demo .demo-files build
