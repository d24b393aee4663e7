# make run: set up .venv and run the bundled street.   make check: lint, types, layers.
# make test: set up and pass the tests that are done in minutes.   make test-all: those, and then the long ones.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# Containers often set it. Then each of the hundreds of processes that tests start compiles all modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test test-all check screenshots soak faults operate bench bench-quick
run: $(VENV)/.installed
	$(BIN)/ssmic run street

# Without asyncio's debug mode, which the long tests have.
test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not long" -o asyncio_debug=false

# Make runs each target once: `make test test-all` passes each test once.
test-all: test
	$(BIN)/python -m pytest -n auto --dist worksteal -m long

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Real processes over a real Mosquitto, killed and cut off: make faults SEEDS=200; to repeat one seed: make faults SEED=17.
faults: $(VENV)/.installed-dev
	$(BIN)/python -m tests.faults.processes $(if $(SEED),--first $(SEED) --seeds 1,--seeds $(or $(SEEDS),200))

# Simulated crashes on a simulated network, random scenarios, and a member that lies: make soak SEEDS=5000; to repeat one seed:
# make soak SEED=17.
# The lying member also over a guarded Mosquitto, for a hundred seeds; to repeat one: make soak SEED=17 GUARDED=1.
soak: $(VENV)/.installed-dev
	$(BIN)/python -m tests.faults.soak $(if $(SEED),--first $(SEED) --seeds 1,--seeds $(or $(SEEDS),1000))
	$(BIN)/python -m tests.faults.random_runs $(if $(SEED),--first $(SEED) --seeds 1,--seeds $(or $(SEEDS),300))
	$(BIN)/python -m tests.faults.liar $(if $(SEED),--first $(SEED) --seeds 1,--seeds $(or $(SEEDS),5500))
	$(if $(SEED),,$(BIN)/python -m tests.faults.liar --first 10000 --seeds $(or $(SEEDS),1000))
	$(if $(SEED)$(GUARDED),$(if $(GUARDED),$(BIN)/python -m tests.faults.liar --guarded --first $(SEED) --seeds 1),$(BIN)/python -m tests.faults.liar --guarded --seeds 50)
	$(if $(SEED)$(GUARDED),,$(BIN)/python -m tests.faults.liar --guarded --first 10000 --seeds 50)

# How the cost of a run grows with the neighbourhood, up to 10,000 houses, then what messages, rounds, decisions and whole
# runs cost (benchmarks/README.md); takes an hour. The figures and the chart of docs/performance.md are made of it.
# HOUSES=10,100 chooses sizes.
bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.growth $(if $(HOUSES),--houses $(HOUSES)) --json growth.json --chart growth.svg
	$(BIN)/python -m benchmarks.messages
	$(BIN)/python benchmarks/round_trips.py
	$(BIN)/python benchmarks/decisions.py
	$(BIN)/python benchmarks/runs.py street village

# The most informative of them, in under two minutes on two idle cores.
bench-quick: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.growth --quick --json growth.json
	$(BIN)/python -m benchmarks.messages --quick
	$(BIN)/python benchmarks/runs.py street

# An operator's day: a month of the street as supervised processes, with reboots, a full disk, new passwords and more.
# Part of make test-all at a small size. make operate DAYS=3 PACE=3600x SEED=17.
operate: $(VENV)/.installed-dev
	$(BIN)/python -m tests.operation.day --days $(or $(DAYS),30) --pace $(or $(PACE),36000x) --seed $(or $(SEED),1)

# Sets up $(VENV) with the packages $(1). Leftovers of a set-up that failed or was killed are removed first; a working
# environment is never damaged. pip would compile the packages on one core only.
define set_up
	@if [ -e $(VENV)/.installing ] || ! $(BIN)/python -c "import pip, sys; sys.exit(sys.version_info < (3, 11))" 2> /dev/null; then \
	  if [ -e $(VENV) ] && ! [ -e $(VENV)/pyvenv.cfg ]; then \
	    echo "$(VENV) exists but is not a virtual environment: move it away, or name another folder: make VENV=..."; exit 1; \
	  fi; \
	  if ! command -v $(PYTHON) > /dev/null; then \
	    echo "$(PYTHON) was not found: install Python 3.11 or newer (Debian, Ubuntu: apt install python3 python3-venv)," \
	      "or name one: make PYTHON=/path/to/python3.11"; exit 1; \
	  fi; \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, and $(PYTHON) is " \
	    + sys.version.split()[0] + "; name another one: make PYTHON=python3.12")' || exit 1; \
	  if ! $(PYTHON) -c "import ensurepip, venv" 2> /dev/null; then \
	    echo "$(PYTHON) cannot create a virtual environment, because its modules ensurepip and venv are missing:" \
	      "install them (Debian, Ubuntu: apt install python3-venv), or name another Python: make PYTHON=/path/to/python3.11"; exit 1; \
	  fi; \
	  rm -rf $(VENV); \
	  if ! $(PYTHON) -m venv $(VENV); then \
	    rm -rf $(VENV); \
	    echo "$(PYTHON) could not create the virtual environment $(VENV), as shown above; name another Python: make PYTHON=/path/to/python3.11"; \
	    exit 1; \
	  fi; \
	fi
	@[ -e $(VENV)/.installed ] || touch $(VENV)/.installing
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install --no-compile --quiet --disable-pip-version-check --constraint constraints.txt --editable '$(1)' || { \
	  echo "The packages could not be installed, as shown above. pip uses the index that PIP_INDEX_URL names, or PyPI;" \
	    "when it can be reached, run make again: it starts over."; exit 1; }
	@$(BIN)/python -m compileall -qq -j 0 "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" || true
	@rm -f $(VENV)/.installing
endef

$(VENV)/.installed: pyproject.toml constraints.txt
	$(call set_up,.)
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt
	$(call set_up,.[dev])
	@touch $(VENV)/.installed $@

# AsyncAPI's own parser, in a separate folder; tests/asyncapi uses it if it is installed.
.PHONY: asyncapi
asyncapi:
	npm install --prefix tests/asyncapi --no-package-lock --no-audit --no-fund

# External programs: Home Assistant and Zigbee2MQTT, installed once into .real-programs (2 GB). Unavailable ones are skipped with a
# reason.
.PHONY: lab-test
lab-test: $(VENV)/.installed-dev
	bash tests/real_programs/install.sh .real-programs
	REAL_PROGRAMS=$(CURDIR)/.real-programs $(BIN)/python -m pytest -n 0 -o asyncio_debug=false tests/real_programs

# Pictures for the README, of a real run.
screenshots: $(VENV)/.installed
	$(BIN)/python -m tui.screenshots docs/screenshots
