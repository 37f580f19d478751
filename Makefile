# Everything a contributor runs, the same here and in continuous integration.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
READY := $(VENV)/.ready
BENCH := .venv-bench/.ready
REAL := .venv-real/.ready
LOCK_UV := .venv-uv/bin/uv

.PHONY: demo test soak judges real lint bench lock test-lowest clean

demo: $(READY)
	@$(BIN)/vcgen generate examples/clips.jsonl --model sim -o runs/demo
	@$(BIN)/vcgen show runs/demo --max-shown 1
	@echo "All records: runs/demo/records.jsonl   as pages: vcgen show runs/demo   to train: vcgen export runs/demo --format videochat -o train.json"

test: $(READY)
	@$(BIN)/python -m pytest -q -n 2

soak: $(READY)
	@$(BIN)/python -m pytest -q -n 2 -rP --show-capture=stdout tests/soak/*.py # not named test_*, so `make test` leaves them out

judges: $(READY)
	@$(BIN)/python -m pytest -q -m judges

real: $(REAL)
	@.venv-real/bin/python -m pytest -q -rP --show-capture=stdout tests/real/*.py # not named test_*, as of soak

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(BENCH)
	@.venv-bench/bin/python -m benchmarks $(ARGS)

lock: $(LOCK_UV)
	@$(LOCK_UV) pip compile --quiet --universal --upgrade --no-header --no-annotate --no-emit-index-url \
		--python-version 3.11 --group dev --group bench pyproject.toml -o constraints.txt

test-lowest: $(LOCK_UV)
	@test -x .venv-lowest/bin/python || $(PYTHON) -m venv .venv-lowest
	@$(LOCK_UV) pip install -q --python .venv-lowest/bin/python --resolution lowest-direct -e . --group dev
	@.venv-lowest/bin/python -m pytest -q -n 2

$(LOCK_UV):
	@$(PYTHON) -m venv .venv-uv
	@.venv-uv/bin/python -m pip install -q "uv>=0.7"

$(READY): GROUP := dev
$(BENCH): GROUP := bench
$(REAL): GROUP := real
$(READY) $(BENCH) $(REAL): pyproject.toml constraints.txt
ifeq ($(UV),)
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install -q "pip>=25.1"
	@$(@D)/bin/python -m pip install -q -c constraints.txt -e . --group $(GROUP)
else
	@test -x $(@D)/bin/python || $(UV) venv -q $(@D)
	@$(UV) pip install -q --python $(@D)/bin/python -c constraints.txt -e . --group $(GROUP)
endif
	@touch $@

clean:
	rm -rf $(VENV) .venv-lowest .venv-bench .venv-real .venv-uv .pytest_cache .mypy_cache .ruff_cache
