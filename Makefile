# Everything sets itself up in .venv; only Python, make and a network are needed.
PYTHON ?= python3
PYTHONS ?= $(PYTHON)
DEVICE ?= cpu
REPORT = benchmarks/REPORT$(if $(filter cuda,$(DEVICE)),-cuda)
BIN = .venv/bin

.PHONY: demo test lint bench docs dist
.DELETE_ON_ERROR:

demo: .venv/ready
	$(BIN)/shiftsmooth demo

test: .venv/docs
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest -n auto $(ARGS)

lint: .venv/ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: .venv/ready
	$(BIN)/python -m pytest benchmarks -p no:cacheprovider --device $(DEVICE) \
	  --benchmark-json .venv/bench-$(DEVICE).json --benchmark-columns min,median --benchmark-sort name
	$(BIN)/python benchmarks/report.py .venv/bench-$(DEVICE).json $(REPORT).md
	$(BIN)/python benchmarks/costs.py --device $(DEVICE)

dist: .venv/ready
	rm -rf dist
	$(BIN)/python -m build
	set -e; for python in $(PYTHONS); do .ci/smoke $$python dist/*; done

docs: .venv/docs
	$(BIN)/sphinx-build -W -q -b html docs docs/_build
	@echo "docs/_build/index.html"

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt -e '.[all,test]'
	# bpnet-lite's own requirements compile a peak caller that its model does not need
	$(BIN)/pip install -q -c constraints.txt --no-deps bpnet-lite
	@touch $@

.venv/docs: .venv/ready
	$(BIN)/pip install -q -c constraints.txt -e '.[docs]'
	@touch $@
