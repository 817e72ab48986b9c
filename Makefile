# Everything from nothing but Python >= 3.11 and make. `make help` lists the targets.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
export PYTHON

.PHONY: help install demo test check reproduce lock clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

install:
	@deploy/install.sh $(VENV)

demo: install  ## the whole path on the demo shop, then keep serving (DEMO_ONCE=1 exits instead)
	@$(BIN)/python demo/run.py

test: install  ## every test: unit, property, contract, HTTP and the real vLLM with a tiny model
	@$(BIN)/python -m pytest

check: install  ## formatting, lint, types, layering
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

reproduce: install  ## run the cheap commands of eval/expected again and compare the scores
	@$(BIN)/palate eval reproduce

lock: install  ## resolve deploy/requirements.lock again from pyproject.toml
	@deploy/lock.sh $(VENV)

clean:  ## forget the environment, the demo's home and every cache in this folder
	rm -rf $(VENV) demo/home .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
