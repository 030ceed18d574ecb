# Everything a person or CI does with the project starts here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SCALE ?= 1

.PHONY: setup packages demo test lint proof bench clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "shoplake needs Python 3.11 or later (found $$($(PYTHON) --version)); set PYTHON=..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m shoplake.pipeline.build
	@touch $@

# PostgreSQL, for the tests of the operational store on it; without it they are skipped, and say so.
packages:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "PostgreSQL is not installed: tests of the store on it are skipped. On Debian, as root: make packages"; \
	else \
		{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postgresql; } \
		|| echo "PostgreSQL could not be installed: tests of the store on it are skipped."; \
	fi

demo: setup
	$(BIN)/shoplake --home .demo demo --scale $(SCALE)

test: setup packages lint
	$(BIN)/python -m pytest -n 2 -m "not proof"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	PYTHONWARNINGS=ignore $(BIN)/sqlfluff lint --processes 2 --disable-progress-bar shoplake/warehouse/staging shoplake/warehouse/core shoplake/marts

proof: setup
	$(BIN)/python -m pytest -m proof

bench: setup
	$(BIN)/python -m bench
	$(BIN)/python -m bench.collector
	$(BIN)/python -m bench.audit

clean:
	rm -rf $(VENV) .venv-peers .demo .demo-files build
