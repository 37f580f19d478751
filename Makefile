# Everything a contributor runs, the same here and in continuous integration.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
READY := $(VENV)/.ready

.PHONY: demo test lint lock test-lowest build clean

demo: $(READY)
	@$(BIN)/vcgen generate examples/clips.jsonl --model sim -o runs/demo
	@$(BIN)/vcgen show runs/demo --limit 1
	@echo "All records: runs/demo/records.jsonl   as pages: vcgen show runs/demo   to train: vcgen export runs/demo --format videochat -o train.json"

test: $(READY)
	@$(BIN)/python -m pytest -q -n 2

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

build: $(READY)
	$(BIN)/python -m build --wheel --outdir dist .

lock: $(READY)
	$(BIN)/uv pip compile --quiet --universal --no-header --no-annotate --no-emit-index-url \
		--python-version 3.11 --group dev pyproject.toml --upgrade -o constraints.txt

test-lowest:
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install -q "uv>=0.7"
	.venv-lowest/bin/uv pip install -q --python .venv-lowest/bin/python --resolution lowest-direct -e . --group dev
	.venv-lowest/bin/python -m pytest -q -n 2

$(READY): pyproject.toml constraints.txt
ifeq ($(UV),)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q "pip>=25.1"
	@$(BIN)/python -m pip install -q -c constraints.txt -e . --group dev
else
	@test -x $(BIN)/python || $(UV) venv -q $(VENV)
	@$(UV) pip install -q --python $(BIN)/python -c constraints.txt -e . --group dev
endif
	@touch $@

clean:
	rm -rf $(VENV) .venv-lowest dist .pytest_cache .mypy_cache .ruff_cache
