# Set-up happens by itself: every target first makes .venv if pyproject.toml changed.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup serve test check bench gallery

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

gallery: setup
	$(BIN)/python -m benchmarks.gallery
