# make run: set up .venv and run the bundled street.   make test: set up and pass the tests.   make check: lint, types, layers.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: run test check screenshots soak faults
run: $(VENV)/.installed
	$(BIN)/ssmic run street

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Real processes over a real Mosquitto, killed and cut off: make faults SEEDS=200; to repeat one seed: make faults SEED=17.
faults: $(VENV)/.installed-dev
	$(BIN)/python -m tests.faults.processes $(if $(SEED),--first $(SEED) --seeds 1,--seeds $(or $(SEEDS),200))

# Simulated crashes on a simulated network: make soak SEEDS=5000; to repeat one seed: make soak SEED=17.
soak: $(VENV)/.installed-dev
	$(BIN)/python -m tests.faults.soak $(if $(SEED),--first $(SEED) --seeds 1,--seeds $(or $(SEEDS),1000))

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, and $(PYTHON) is " \
	  + sys.version.split()[0] + "; name another one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(VENV)/.installed $@

# Pictures for the README, of a real run.
screenshots: $(VENV)/.installed
	$(BIN)/python -m tui.screenshots docs/screenshots
