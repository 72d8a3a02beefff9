# cmm_nb: `make help` lists what there is.
VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin
INSTALLED = $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install run test fuzz browser rehearsal format bench bench-gpu lab docs notebooks sync clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(INSTALLED): settings.ini setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@if git rev-parse --git-dir >/dev/null 2>&1; then \
	  git config merge.nbdev-merge.name "merge notebooks cell by cell (nbdev)"; \
	  git config merge.nbdev-merge.driver '"$(abspath $(BIN))/nbdev_merge" %O %A %B %P'; fi
	@touch $@

install: $(INSTALLED) ## create .venv with everything in it

run: install ## the main job on the embedded default: few-shot curves on real handwritten digits, with a report
	$(BIN)/cmm batch

test: install ## every check: generated files in sync, all notebooks, types, the papermill run, the built wheel
	$(BIN)/python tools/check.py

fuzz: install ## hostile input by the minute: pictures, folders, packs, models, ledgers, grids; SEED=0 MINUTES=1
	$(BIN)/python tools/fuzz.py $(or $(SEED),0) $(or $(MINUTES),1)

format: install ## lay out notebooks and tools, and mend what the linter can mend
	$(BIN)/ruff check --fix nbs tools docs setup.py
	$(BIN)/ruff format nbs tools docs setup.py
	$(MAKE) sync

rehearsal: install ## every grid of the papers on drawn stand-ins, then the report; FOLDER=... keeps them
	$(BIN)/python tools/rehearsal.py $(if $(FOLDER),"$(FOLDER)")

browser: install ## explorers, pages of pictures and the server's page in a real browser; says so where there is none
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[browser]'
	$(BIN)/python tools/browser.py

bench: install ## ratios measured in one run on this machine
	$(BIN)/python tools/bench.py

bench-gpu: install ## seconds, memory and agreement on one NVIDIA GPU, in six minutes; says so where there is none
	$(BIN)/python tools/bench_gpu.py

lab: install ## JupyterLab on the notebooks
	$(BIN)/jupyter lab nbs

docs: install ## the course as a site to read offline, with search and the API reference: _docs/site/index.html
	$(BIN)/python tools/docs.py

notebooks: install ## execute all notebooks but the wall in place and refresh what is generated from them
	$(BIN)/python tools/execute.py
	$(MAKE) sync

sync: install ## clean the notebooks, export the package, write README.md
	$(BIN)/nbdev_clean
	$(BIN)/nbdev_export
	$(BIN)/python tools/readme.py

clean: ## remove the virtual environment and build leftovers (runs/ and data/ stay)
	rm -rf $(VENV) build dist *.egg-info _docs
	@git config --remove-section merge.nbdev-merge 2>/dev/null || true
