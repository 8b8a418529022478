# Every target makes the environment that it needs. `make help` lists them.

SHELL := /bin/bash -o pipefail
.SHELLFLAGS := -euc
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
# Where pip looks for wheels beside the index: uv does not read pip's settings.
FIND_LINKS ?= $(or $(PIP_FIND_LINKS),$(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null))
export UV_FIND_LINKS := $(FIND_LINKS)
export UV_PYTHON_DOWNLOADS := never

UV := .venv/uv/bin/uv
SKY := .venv/sky
TRAIN := .venv/train
BENCH := .venv/bench
LOCKS := control sky train bench

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' Makefile | expand -t 12

# --- environments -----------------------------------------------------------

$(UV):
	@echo "environment: uv"
	@$(PYTHON) -m venv .venv/uv
	@.venv/uv/bin/pip install --quiet uv==0.13.9

# `pip` takes the CPU build of torch from its find-links where that is offered. There the CUDA libraries
# that the index's build asks for are left out: they are gigabytes that nothing would load.
.venv/%/installed: images/%.lock pyproject.toml $(UV)
	@echo "environment: $* (images/$*.lock)"
	@[ -e .venv/$*/pyvenv.cfg ] || $(UV) venv --quiet --python $(PYTHON) .venv/$*
	@drop='^$$'; \
	if echo torch==2.13.0 | $(UV) pip compile --quiet --no-deps --no-header --python $(PYTHON) - | grep -q '+cpu'; then \
	  drop='^(cuda|nvidia|triton)[-=]'; fi; \
	grep -vE "$$drop" images/$*.lock > .venv/$*/requirements.txt
	@$(UV) pip sync --quiet --python .venv/$* .venv/$*/requirements.txt
	@$(UV) pip install --quiet --python .venv/$* --no-deps --editable .
	@touch $@

.PHONY: env
env: $(TRAIN)/installed ## the environment that jobs run in (.venv/train)

.PHONY: lock
lock: $(UV) ## resolve images/*.in again into images/*.lock
	@for name in $(LOCKS); do \
	  env -u UV_FIND_LINKS $(UV) pip compile --quiet --universal --python-version 3.11 --override images/overrides.txt \
	    --no-annotate --no-header --no-emit-package pip images/$$name.in | grep -v "sys_platform == 'never'" \
	    > images/$$name.lock.new && mv images/$$name.lock.new images/$$name.lock; \
	done
