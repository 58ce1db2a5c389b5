# Every target makes its own environment in .venv, with the versions of constraints.txt.
# Needs: a Python from 3.11 on (the newest that serves is taken), make, and access to a package index (pip's own
# configuration says which).

VENV := .venv
BIN := $(VENV)/bin
# Another Python than the newest: make PYTHON=python3.12, after make distclean where .venv is there already.
PYTHON ?=
# Processes that share the tests, a file each: compiling, which takes most of their time, keeps one core busy.
WORKERS ?= 2
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --constraint constraints.txt --editable
FAILED = echo "error: $$($(BIN)/python --version) could not be given all of it (pip says above what was missing);" \
  "with another Python: make distclean, then make PYTHON=python3.12" >&2; exit 2
INPUTS := setup.cfg pyproject.toml constraints.txt

.PHONY: help demo gallery tiny test test-heavy test-slow lint clean distclean
.DELETE_ON_ERROR:

help:
	@echo "make demo       animate a portrait with a recording; writes demo/talking.mp4 and demo/report.html"
	@echo "make gallery    twelve faces say your recordings: PORTRAITS=FOLDER AUDIO=speech.wav; writes gallery/gallery.html"
	@echo "make tiny       train both stages small, from nothing, in a quarter of an hour; writes runs/tiny/talking.mp4"
	@echo "make test       the tests (make test-heavy: those that compile for long; test-slow: for minutes)"
	@echo "make lint       style checks, and the static checker of types"
	@echo "make clean      remove build products and caches (make distclean: .venv as well)"

$(BIN)/python:
	@python=$$(.ci/newest_python $(PYTHON)) || exit 2; \
	echo "making $(VENV) with $$($$python --version), $$(command -v $$python)"; \
	$$python -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "error: '$$python -m venv' failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }

# The stamps are newer than what they were made from: a second run installs nothing.
$(VENV)/.installed-core: $(INPUTS) | $(BIN)/python
	@echo "installing vasa_jax and what it needs into $(VENV) (a few minutes the first time)"
	@$(INSTALL) . || { $(FAILED); }
	@touch $@

$(VENV)/.installed-test: $(INPUTS) | $(BIN)/python
	@echo "installing vasa_jax, the data pipelines and the test tools into $(VENV) (a few minutes the first time)"
	@$(INSTALL) '.[test]' || { $(FAILED); }
	@touch $@ $(VENV)/.installed-core

demo: $(VENV)/.installed-core
	$(BIN)/python -m experiments.demo

gallery: $(VENV)/.installed-test
	@test -n "$(PORTRAITS)" -a -n "$(AUDIO)" || { \
	  echo "say who speaks and what: make gallery PORTRAITS=FOLDER AUDIO=speech.wav" >&2; exit 2; }
	$(BIN)/python -m experiments.gallery --portraits="$(PORTRAITS)" --audio="$(AUDIO)"

tiny: $(VENV)/.installed-test
	$(BIN)/python -m experiments.tiny --report=runs/tiny/report.json

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile --durations=15 $(ARGS)

test-heavy: $(VENV)/.installed-test
	$(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile --durations=15 -m "heavy and not slow" $(ARGS)

test-slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest --durations=15 -m slow $(ARGS)

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/mypy

clean:
	rm -rf build dist *.egg-info demo .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
