# Every target makes its own environment in .venv, with the versions of constraints.txt.
# Needs: Python 3.11, make, and access to a package index (pip's own configuration says which).

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3.11
# Processes that share the tests, a file each: compiling, which takes most of their time, keeps one core busy.
WORKERS ?= 2
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --constraint constraints.txt --editable
INPUTS := setup.cfg pyproject.toml constraints.txt

.PHONY: help demo gallery tiny test test-slow lint clean distclean
.DELETE_ON_ERROR:

help:
	@echo "make demo       animate a portrait with a recording; writes demo/talking.mp4 and demo/report.html"
	@echo "make gallery    twelve faces say your recordings: PORTRAITS=FOLDER AUDIO=speech.wav; writes gallery/gallery.html"
	@echo "make tiny       train both stages small, from nothing, in a quarter of an hour; writes runs/tiny/talking.mp4"
	@echo "make test       the tests (make test-slow: those that take minutes)"
	@echo "make lint       style checks"
	@echo "make clean      remove build products and caches (make distclean: .venv as well)"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
	  echo "error: Python 3.11 is needed, and '$(PYTHON)' is not it;" \
	    "install python3.11, or say where it is: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "error: 'python3.11 -m venv' failed; on Debian and Ubuntu: apt install python3.11-venv" >&2; exit 2; }

# The stamps are newer than what they were made from: a second run installs nothing.
$(VENV)/.installed-core: $(INPUTS) | $(BIN)/python
	@echo "installing vasa_jax and what it needs into $(VENV) (a few minutes the first time)"
	@$(INSTALL) .
	@touch $@

$(VENV)/.installed-test: $(INPUTS) | $(BIN)/python
	@echo "installing vasa_jax, the data pipelines and the test tools into $(VENV) (a few minutes the first time)"
	@$(INSTALL) '.[test]'
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

test-slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest --durations=15 -m slow $(ARGS)

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .

clean:
	rm -rf build dist *.egg-info demo .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
