# Everything a person or CI does with the project starts here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SCALE ?= 1
# Where tests write: in memory where there are 2 GB for it, as homes wait for the disk at every step.
SCRATCH := shm=$$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 2000000 {print $$6}'); \
	mktemp -d "$${shm:-$${TMPDIR:-/tmp}}/shoplake-tests-XXXXXX"

.PHONY: setup packages demo test lint proof bench screenshots clean

setup: $(VENV)/.ready node_modules/.ready shoplake/portal/static/vendor/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "shoplake needs Python 3.11 or later (found $$($(PYTHON) --version)); set PYTHON=..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m shoplake.pipeline.project
	$(BIN)/python -m shoplake.catalogue.opening
	@touch $@

# PostgreSQL, for the tests of the operational store on it and of publishing; Chromium, for those of the tracker in a browser.
# Where one is missing its tests are skipped, and say so.
packages:
	@missing=""; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing="postgresql"; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	if [ -z "$$missing" ]; then true; \
	elif [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "Not installed: $$missing. Tests with them are skipped. On Debian, as root: make packages"; \
	else \
		{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing; } \
		|| echo "Could not be installed: $$missing. Tests with them are skipped."; \
	fi

# What the portal's pages are shown with, and libraries that the tests use.
node_modules/.ready: package.json package-lock.json .npmrc
	@{ command -v npm >/dev/null && npm ci --ignore-scripts --no-audit --no-fund && touch $@; } || \
	echo "No packages of npm: the portal shows tables without charts, and tests with such libraries are skipped."

shoplake/portal/static/vendor/.ready: $(VENV)/.ready node_modules/.ready shoplake/portal/build.py $(wildcard shoplake/portal/bundles/*.js)
	@$(BIN)/python -m shoplake.portal.build

demo: setup
	$(BIN)/shoplake --home .demo demo --scale $(SCALE)

test: setup packages lint
	@scratch=$$($(SCRATCH)) && trap 'rm -rf "$$scratch"' EXIT INT TERM && chmod 711 "$$scratch" && \
	TMPDIR=$$scratch $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not proof"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	PYTHONWARNINGS=ignore $(BIN)/sqlfluff lint --processes 2 --disable-progress-bar shoplake/warehouse/staging shoplake/warehouse/core shoplake/marts

proof: setup
	$(BIN)/python -m pytest -m proof

bench: setup
	@failed=0; for part in bench "bench.kept Collector bench.collector" "bench.kept Kafka bench.consume" \
		"bench.stream --output docs/benchmarks.md" "bench.kept Audit bench.audit" "bench.kept PostgreSQL bench.publish" \
		"bench.kept Sandbox bench.sandbox" "bench.kept Service bench.service" "bench.portal --output docs/benchmarks.md"; do \
		$(BIN)/python -m $$part || failed=1; done; exit $$failed

# The pictures in docs/pictures, of the demo home in a real browser.
screenshots: setup packages
	$(BIN)/shoplake --home .demo demo --no-serve --scale $(SCALE)
	SHOPLAKE_PORTAL_ANSWER_SECONDS=120 $(BIN)/python -m tests.portal.pages.pictures --home .demo

clean:
	rm -rf $(VENV) .venv-peers node_modules shoplake/portal/static/vendor .demo .demo-files build
