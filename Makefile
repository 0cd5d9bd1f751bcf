# The habits. Each target works on a bare machine with Python 3.11 and nothing else; Debian's packages are asked for only by `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test lint bench fuzz eval demo doctor lock clean

run: $(VENV)/installed            ## install, fetch the models, start everything
	@exec $(BIN)/python manage.py up

demo: $(VENV)/installed           ## the same with a sample company to look at
	@exec $(BIN)/python manage.py up --demo

doctor: $(VENV)/installed         ## check every part, and say what to do
	@$(BIN)/python manage.py doctor

test: $(VENV)/tested              ## the whole test suite
	@sh tests/run.sh

lint: $(VENV)/tested
	$(BIN)/ruff check .
	$(BIN)/mypy north agents retrieval

bench: $(VENV)/tested             ## print the figures; FIGURES="scale access" only these, also such as take long (--help names all)
	@$(BIN)/python -m tests.bench $(FIGURES)

REQUESTS := 50000
fuzz: $(VENV)/tested              ## schemathesis against the REST API: REQUESTS=50000, SEED=0
	@$(BIN)/python -m tests.api.fuzzing $(REQUESTS)

DATA := ../shared/data/open
eval: $(VENV)/tested              ## how well search finds, over the fixed sets, and 30 minutes of how right answers are; QUICK=1 searches 330 questions of each; DATA=FOLDER
	@$(BIN)/python manage.py evaluate --fixed $(DATA) $(if $(QUICK),--queries 330)
	@$(BIN)/python -m tests.bench.correctness --data $(DATA)

lock: $(UV)                       ## pin everything with hashes, after a change of pyproject.toml
	$(UV) pip compile -q pyproject.toml --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 -o docker/requirements.lock
	$(UV) pip compile -q pyproject.toml --extra dev --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 -o docker/requirements-dev.lock

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' || \
		{ echo "North needs Python 3.11 or 3.12; '$(PYTHON)' is `$(PYTHON) -V 2>&1`. Say which to use: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing. On Debian: apt-get install python3-venv"; exit 1; }
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install -q uv==0.13.9

$(VENV)/installed: docker/requirements.lock | $(UV)
	@$(UV) pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r docker/requirements.lock
	@touch $@

$(VENV)/tested: docker/requirements-dev.lock | $(VENV)/installed
	@$(UV) pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r docker/requirements-dev.lock
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
