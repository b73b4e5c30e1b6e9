# The list of verbs. `make demo` and `make test` need nothing but Python 3.11 and this folder.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := phantom
BENCH := .venv-bench

.PHONY: help install demo demo-octave simulate accuracy dag report format lint types octave slurm sshd chromium parity test test-fast generated benchmark-mosaics clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/octflow setup
	touch $@

install: $(VENV)/installed  ## make the environment in .venv and make the profiles known

simulate: install  ## simulate the demo acquisition
	$(BIN)/octflow simulate $(DEMO)

demo: simulate  ## reconstruct a simulated brain and say where the pictures are
	$(BIN)/snakemake --profile demo
	$(MAKE) --no-print-directory report accuracy
	@echo
	@echo "Pictures:"
	@find $(DEMO)/project/qc $(DEMO)/project/registered $(DEMO)/project/*/qc -name '*.jpg' | sort | sed 's/^/  /'
	@echo "  $(DEMO)/project/mosaic-*/stitched/*.jpg"
	@echo "Report:     $(DEMO)/report.html"
	@echo "Again:      . $(BIN)/activate && snakemake --profile zircon"

demo-octave: install octave  ## reconstruct the same brain by GNU Octave, and compare it with its truth
	$(BIN)/octflow simulate $(DEMO)-octave --backend octave
	$(BIN)/snakemake --profile demo --configfile $(DEMO)-octave/config.yaml
	$(BIN)/octflow accuracy $(DEMO)-octave

accuracy: install  ## compare the demo with its truth
	$(BIN)/octflow accuracy $(DEMO)

report: install  ## write the HTML report of the demo
	$(BIN)/snakemake --profile demo --report $(abspath $(DEMO))/report.html

dag: simulate  ## draw the rule graph, and the job graph of one slice, into build/
	@command -v dot >/dev/null || { echo "make dag needs Graphviz: apt-get install graphviz" >&2; exit 1; }
	mkdir -p build
	$(BIN)/snakemake --profile demo --rulegraph | dot -Tsvg -o build/rulegraph.svg
	$(BIN)/snakemake --profile demo --forceall --dag dot state/slice-001.registered | dot -Tsvg -o build/slice-001.svg
	@ls build/*.svg

format: install  ## format everything
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/snakefmt Snakefile rules

lint: install  ## check style, imports, rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/lint-imports
	$(BIN)/snakemake --lint

types: install  ## check types
	$(BIN)/mypy

generated: install  ## rewrite the generated configuration files
	$(BIN)/octflow config --write config

test-fast: install  ## run the tests that take no real run of the workflow
	$(BIN)/pytest -m 'not slow' -n 2

octave:  ## install GNU Octave where it is missing
	envs/install-octave

slurm:  ## install Slurm where it is missing
	envs/install-slurm

chromium:  ## install Chromium where it is missing
	envs/install-chromium

sshd:  ## install an SSH server where it is missing; none is started
	envs/install-sshd

parity: install octave  ## print format | backend | product | largest difference | bound
	$(BIN)/pytest -q tests/parity

# Peers ask for other versions than octflow is tested with: they have an environment of their own.
$(BENCH)/installed: pyproject.toml
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --editable '.[bench]'
	touch $@

benchmark-mosaics: $(BENCH)/installed  ## time coordinates, maps, volumes against peers; takes hours
	$(BENCH)/bin/python benchmarks/coordinates.py
	$(BENCH)/bin/python benchmarks/enface.py
	$(BENCH)/bin/python benchmarks/volumes.py

test: lint types octave slurm sshd chromium  ## run all checks
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

clean:  ## remove the demo's results and what was built; never the simulated raw tiles
	rm -rf $(DEMO)/project $(DEMO)-octave/project $(DEMO)/report.html build
