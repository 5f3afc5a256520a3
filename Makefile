# Everything a developer runs. It needs make and Python 3.11 or newer with venv and pip, and nothing else.
# The suite runs on the built wheel: an editable install would also find what the wheel forgets.

PYTHON  ?= python3
TORCH   ?=

BIN     := .venv/bin
LOWEST  := .venv-lowest/bin
INSTALL := -m pip install -qq --disable-pip-version-check -c
CODE    := nwb_neurid plugins tests docs/conf.py docs/kernel.py $(wildcard examples)
# Folders are among the sources, so that a file that is gone counts as a change too.
SOURCES := pyproject.toml $(wildcard README.md LICENSE) \
	$(shell find nwb_neurid plugins ! -name '*.pyc' ! -name __pycache__ 2>/dev/null)

.PHONY: help demo test test-lowest lint types docs bench bench-all gpu clean
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

demo: .venv/installed ## simulate a recording, embed it, and open the report on it
	$(BIN)/nwb-neurid demo

test: lint types .venv/browser ## lint, types, and the whole suite on the built wheel
	OMP_NUM_THREADS=1 NWB_NEURID_WHEEL=1 $(BIN)/pytest -n 2 --dist worksteal --durations=10

test-lowest: .venv-lowest/installed ## the suite at the lower bounds of pyproject.toml (TORCH=2.13.0 spares a download)
	OMP_NUM_THREADS=1 NWB_NEURID_WHEEL=1 $(LOWEST)/pytest -n 2 --dist worksteal --durations=10

lint: .venv/checks ## style, formatting and spelling
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/codespell *.md docs $(CODE)

types: .venv/checks ## mypy, strict
	$(BIN)/mypy

docs: .venv/docs ## the documentation, as HTML in docs/_build; its tutorials are executed
	$(BIN)/sphinx-build -W -n --keep-going -q -b html -d docs/_build/doctrees docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: .venv/checks ## figures as ratios to rivals, in 30 minutes; kept in bench.json, compared with the accepted ones
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/_bench.py --json bench.json

bench-all: .venv/checks ## every benchmark at full size, and 2,000 damaged files
	@for script in $(filter-out tests/benchmarks/test_%,$(sort $(wildcard tests/benchmarks/[a-z]*.py))) tests/faults/fuzz.py; do $(BIN)/python $$script || exit 1; done

# Without the checks of shapes that tests/conftest.py turns on: torch compiles no code that has them.
gpu: .venv/checks ## check a GPU, and print its figures, in 8 minutes; they are kept in gpu.json
	NWB_NEURID_UNCHECKED=1 $(BIN)/pytest -c /dev/null --rootdir . -p no:cacheprovider -p no:logging -q -rs -n 4 -m gpu tests/gpu; \
	tested=$$?; $(BIN)/python tests/gpu/figures.py --json gpu.json && exit $$tested

clean: ## remove everything that make made
	rm -rf .venv .venv-lowest dist docs/_build docs/reference/api .hypothesis .mypy_cache .pytest_cache .ruff_cache

.venv/created: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"nwb-neurid needs Python 3.11 or newer, $(PYTHON) is " + sys.version.split()[0] + \
		": name another one, make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python $(INSTALL) constraints.txt --upgrade pip
	@touch $@

dist/built: .venv/created $(SOURCES)
	$(BIN)/python $(INSTALL) constraints.txt --group build
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	@touch $@

.venv/installed: dist/built
	$(BIN)/python -m pip uninstall -qq --yes nwb-neurid
	$(BIN)/python $(INSTALL) constraints.txt "$$(ls dist/*.whl)[plugins]"
	@touch $@

.venv/checks: .venv/installed
	$(BIN)/python $(INSTALL) constraints.txt --group test --group lint
	@touch $@

.venv/browser: .venv/checks tests/browser.py
	$(BIN)/python tests/browser.py
	@touch $@

.venv/docs: .venv/installed
	$(BIN)/python $(INSTALL) constraints.txt --group docs
	@touch $@

.venv-lowest/installed: dist/built tests/lowest.py
	$(PYTHON) -m venv .venv-lowest
	$(LOWEST)/python $(INSTALL) constraints.txt --upgrade pip
	$(LOWEST)/python tests/lowest.py $(if $(TORCH),torch==$(TORCH)) > .venv-lowest/constraints.txt
	$(LOWEST)/python -m pip uninstall -qq --yes nwb-neurid
	$(LOWEST)/python $(INSTALL) .venv-lowest/constraints.txt dist/*.whl --group test
	@touch $@
