# Set-up happens by itself: every target first makes .venv if pyproject.toml changed.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup serve test check bench figures gallery faults up up-cpu test-compose

setup: .venv/developing

# What it takes to export and serve on a CPU; developing adds training, the tests' tools and TensorRT-RTX.
.venv/serving: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[cpu,export]'
	touch $@

.venv/developing: .venv/serving
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

serve: .venv/serving
	$(BIN)/unseam export --missing
	$(BIN)/unseam serve

test: setup
	tests/install-system-packages
	$(BIN)/unseam export --missing
	$(BIN)/python -m pytest

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/unseam bench engine
	$(BIN)/unseam bench tiling
	$(BIN)/unseam bench http
	$(BIN)/unseam bench workers

figures: setup
	$(BIN)/python -m benchmarks.figures
	$(BIN)/python -m benchmarks.screenshot

gallery: setup
	$(BIN)/python -m benchmarks.sample
	$(BIN)/python -m benchmarks.gallery

COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)

# A worker for each.
GPUS ?= $(shell nvidia-smi --list-gpus 2>/dev/null | grep -c '^GPU [0-9]')

up:
	@test $(GPUS) -gt 0 || { echo "nvidia-smi lists no GPU here; make up-cpu does without" >&2; exit 2; }
	WORKERS=$(GPUS) deploy/prepare gpu
	cd deploy && $(COMPOSE) up --build --detach

up-cpu:
	deploy/prepare cpu
	cd deploy && $(COMPOSE) up --build --detach

# An engine of its own, hence root; ARGUMENTS=--help says more.
test-compose: setup
	PYTHONPATH=tests/deploy/support $(BIN)/python tests/compose/run.py $(ARGUMENTS)

faults: setup
	tests/install-system-packages
	PYTHONPATH=.:tests/service/support $(BIN)/python -u tests/faults/run.py
