# Everything sets itself up in .venv; only Python, make and a network are needed.
PYTHON ?= python3
PYTHONS ?= $(PYTHON)
DEVICE ?= cpu
REPORT = benchmarks/REPORT$(if $(filter cuda,$(DEVICE)),-cuda)
BIN = .venv/bin

.PHONY: demo test test-all lint bench fuzz docs dist
.DELETE_ON_ERROR:

demo: .venv/ready
	$(BIN)/shiftsmooth demo

# numba would start a thread per core, and make torch do so too for the rest of a process.
PYTEST = OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} NUMBA_NUM_THREADS=$${NUMBA_NUM_THREADS:-1} \
  $(BIN)/python -m pytest -n auto --dist loadgroup --no-loadscope-reorder

test: .venv/ready
	$(PYTEST) -m "not slow" $(ARGS)

test-all: .venv/docs
	$(PYTEST) $(ARGS)

lint: .venv/ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: .venv/ready
	$(BIN)/python -m pytest benchmarks -p no:cacheprovider --device $(DEVICE) \
	  --benchmark-json .venv/bench-$(DEVICE).json --benchmark-columns min,median --benchmark-sort name
	$(BIN)/python benchmarks/report.py .venv/bench-$(DEVICE).json $(REPORT).md
	$(BIN)/python benchmarks/costs.py --device $(DEVICE)
	$(BIN)/python benchmarks/scan.py benchmarks/SCAN.md

fuzz: .venv/ready
	FUZZ_SECONDS=3600 $(PYTEST) tests/hostile/test_fuzz.py

dist: .venv/ready
	rm -rf dist
	$(BIN)/python -m build
	set -e; for python in $(PYTHONS); do .ci/smoke $$python dist/*; done

docs: .venv/docs
	$(BIN)/python docs/tools/screenshot.py
	$(BIN)/sphinx-build -W -q -b html docs docs/_build
	@echo "docs/_build/index.html"

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt -e '.[all,test]'
	# bpnet-lite requires a peak caller that its model does not need, gReLU another Captum
	$(BIN)/pip install -q -c constraints.txt --no-deps bpnet-lite gReLU
	@touch $@

.venv/docs: .venv/ready
	$(BIN)/pip install -q -c constraints.txt -e '.[docs]'
	@touch $@
