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
# Python keeps what it compiled: importing ray, torch and transformers then takes half as long, hundreds of times in tests.
unexport PYTHONDONTWRITEBYTECODE
# What Python keeps back and when, is tested as on a machine where nobody set it.
unexport PYTHONUNBUFFERED

UV := .venv/uv/bin/uv
SKY := .venv/sky
TRAIN := .venv/train
BENCH := .venv/bench
SITE ?= .venv/site
# A machine's image may carry the environment of a very lock, by its digest; then it is used as it is.
BAKED_IN := /opt/clusterlab
BAKED := $(BAKED_IN)/train-$(shell sha256sum images/train.lock | cut -c1-12)
PYTEST ?=
LOCKS := build control site sky train rag agent bench node quant compressor gguf vllm vllm-cuda
# Environments beside `train`, for libraries that want other versions; a lab's setup says which it needs.
BESIDE := quant compressor gguf rag agent vllm

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z0-9%-]+):.*## (.*)/\1\t\2/p' Makefile | expand -t 12

# --- environments -----------------------------------------------------------

$(UV):
	@echo "environment: uv"
	@$(PYTHON) -m venv .venv/uv
	@.venv/uv/bin/pip install --quiet --quiet uv==0.13.9

COMPILED :=
# vLLM is built for CUDA or for CPUs, and the machine decides; both are one version.
LOCK_vllm := images/vllm$(if $(wildcard /proc/driver/nvidia/version),-cuda).lock
LOCK = $(or $(LOCK_$*),images/$*.lock)
# A package of ours that the environment has beside its lock.
SHIM :=
.venv/%/installed: images/%.lock images/install.sh pyproject.toml $(UV)
	@echo "environment: $* ($(LOCK))"
	@UV=$(UV) PYTHON=$(PYTHON) images/install.sh $(LOCK) .venv/$* $(COMPILED)
	@$(UV) pip install --quiet --python .venv/$* --no-deps --editable . $(SHIM)
	@touch $@

# What tests ask about IAM documents is a program for Node; without npm those tests say what they lack.
.venv/iam/installed: tests/infra/iam/package-lock.json tests/infra/iam/package.json
	@mkdir -p .venv/iam && cp $^ .venv/iam
	@if ! command -v npm >/dev/null; then echo "environment: iam: skipped, there is no npm"; else \
	  echo "environment: iam ($<)" && npm ci --prefix .venv/iam --silent --no-audit --no-fund && touch $@; fi

# llama.cpp is compiled for any x86-64 of the last ten years, so that it computes the same on all of them; built for the
# machine itself, its matrix unit (AMX) crashes on quantized types. uv keeps what it compiled by these settings.
LLAMA_CPP := --config-settings-package llama-cpp-python:cmake.args
.venv/gguf/installed: COMPILED := $(LLAMA_CPP)="-DGGML_NATIVE=OFF;-DLLAVA_BUILD=OFF"

.venv/vllm/installed: images/vllm-cuda.lock images/vllm-cpu/pyproject.toml images/vllm-cpu/vllm_pictures.py
ifeq ($(wildcard /proc/driver/nvidia/version),)
.venv/vllm/installed: SHIM := ./images/vllm-cpu
endif

# Nodes that share their folder, as Slurm's do, all call this at once: one makes it, the others wait, where locks work.
LOCKED = $(shell mkdir -p .venv && flock .venv/lock true 2>/dev/null && echo flock .venv/lock)

.PHONY: env
env: ## the environment that jobs run in (.venv/train)
ifeq ($(wildcard $(BAKED)),)
env: $(UV)
	@$(LOCKED) $(MAKE) --silent $(TRAIN)/installed
else
	@$(LOCKED) ln -sfn $(BAKED) .venv/train
endif

.PHONY: $(BESIDE:%=env-%)
env-%: ## an environment that some methods of a lab run in, such as env-quant (.venv/quant)
$(BESIDE:%=env-%): env-%:
	@baked=$(BAKED_IN)/$*-$$(sha256sum $(LOCK) | cut -c1-12); \
	if [ -e $$baked ]; then $(LOCKED) ln -sfn $$baked .venv/$*; else $(LOCKED) $(MAKE) --silent .venv/$*/installed; fi

.PHONY: sandbox
sandbox: ## bubblewrap, in which labs/agent.yaml runs code; by apt-get, as root or by sudo
	@images/sandbox.sh

.PHONY: lock
lock: $(UV) ## resolve images/*.in again into images/*.lock
	@for name in $(LOCKS); do \
	  overrides=images/$$name.overrides.txt; [ -e $$overrides ] || overrides=images/overrides.txt; \
	  env -u UV_FIND_LINKS $(UV) pip compile --quiet --universal --python-version 3.11 --override $$overrides \
	    --no-annotate --no-header images/$$name.in | grep -v "sys_platform == 'never'" \
	    > images/$$name.lock.new && mv images/$$name.lock.new images/$$name.lock; \
	done
	@# The validator asks for Python 3.12 and runs on 3.11 too: tests/clusterlab/bill/test_export.py.
	@env -u UV_FIND_LINKS $(UV) pip compile --quiet --universal --python-version 3.12 --no-annotate --no-header \
	  --override images/focus.overrides.txt images/focus.in > images/focus.lock.new && mv images/focus.lock.new images/focus.lock

# --- what people run --------------------------------------------------------

.PHONY: demo
demo: env ## run labs/qlora.yaml on this machine and check its result
	@$(TRAIN)/bin/clusterlab run labs/qlora.yaml

# Each lab's own `setup:` says which environments it needs beside `train`; the verb makes them.
.PHONY: results
results: env ## run every lab at tiny, and keep what it measured: docs/results.md; LABS="qlora rag" runs these, FRESH=1 again
	@$(TRAIN)/bin/clusterlab reproduce --setup $(if $(FRESH),--fresh) $(LABS:%=labs/%.yaml)

.PHONY: test
test: programs lint docs-fresh test-jobs test-control test-infra ## every check, and every test that needs no root and is over in a minute

# What SkyPilot runs for itself, and what everybody asks servers with: without them tests would fail by the hundred.
PROGRAMS := curl git rsync ssh ssh-keygen
.PHONY: programs
programs:
	@missing=; for each in $(PROGRAMS); do command -v $$each >/dev/null || missing+=" $$each"; done; [ -z "$$missing" ] || \
	  { echo "make test: not installed:$$missing; \`apt-get install curl git openssh-client rsync\` installs them" >&2; exit 1; }

.PHONY: lint
lint: $(SKY)/installed
	$(SKY)/bin/ruff check .
	$(SKY)/bin/ruff format --check .
	$(SKY)/bin/mypy
	$(SKY)/bin/lint-imports --no-logo

# The control plane is tested where neither torch nor ray can be imported.
.PHONY: test-control
test-control: $(SKY)/installed $(TRAIN)/installed site
	SITE=$(SITE) $(SKY)/bin/python -m pytest tests/clusterlab tests/docs $(PYTEST)

.PHONY: test-infra
test-infra: $(SKY)/installed .venv/iam/installed
	$(SKY)/bin/python -m pytest tests/infra tests/images $(PYTEST)

.PHONY: test-jobs
test-jobs: $(BENCH)/installed $(TRAIN)/installed env-rag
	$(BENCH)/bin/python -m pytest tests/jobs -m "not slow" $(PYTEST)

.PHONY: test-browser
test-browser: $(SKY)/installed site ## the page of costs and the site in a real Chromium (Debian's package `chromium`)
	$(SKY)/bin/python -m pytest tests/browser $(PYTEST)

.PHONY: test-e2e
test-e2e: $(SKY)/installed $(TRAIN)/installed ## launch for real on an emulated cloud and a local Slurm; needs root (docs/rehearsal.md)
	$(SKY)/bin/python -m pytest tests/e2e -m "not slow" $(PYTEST)

.PHONY: test-slow
test-slow: $(SKY)/installed $(BENCH)/installed $(TRAIN)/installed env-agent ## tests of a minute and more, beside `make test`; some need root
	$(BENCH)/bin/python -m pytest tests/jobs -m slow $(PYTEST)
	$(SKY)/bin/python -m pytest tests/e2e -m slow -o faulthandler_timeout=3600 $(PYTEST)

.PHONY: test-quant
test-quant: $(BENCH)/installed env-quant env-compressor ## what the sweep saves, read by transformers in .venv/quant and .venv/compressor
	$(BENCH)/bin/python -m pytest tests/quant $(PYTEST)

.PHONY: test-gpu
test-gpu: $(BENCH)/installed ## what only a GPU can show; skipped where there is none
	$(BENCH)/bin/python -m pytest tests/gpu $(PYTEST)

.PHONY: test-gguf
test-gguf: $(BENCH)/installed env-gguf ## what needs llama.cpp, which `make env-gguf` compiles: minutes, once
	$(BENCH)/bin/python -m pytest tests/gguf $(PYTEST)

.PHONY: test-vllm
test-vllm: $(BENCH)/installed env-quant env-compressor env-vllm ## vLLM: what it loads, what it serves, and real clients
	$(BENCH)/bin/python -m pytest tests/vllm $(PYTEST)

.PHONY: check
check: $(SKY)/installed ## every lab and class against the rules and SkyPilot's schema
	@$(SKY)/bin/clusterlab check

.PHONY: docs
docs: $(SKY)/installed ## write again what is generated: docs/cli.md, docs/identity.md, docs/results.md, tables of the README
	@$(SKY)/bin/python -m clusterlab.reference
	@$(SKY)/bin/python -m tests.infra.iam.page

.PHONY: docs-fresh
docs-fresh: $(SKY)/installed
	@$(SKY)/bin/python -m clusterlab.reference --check
	@$(SKY)/bin/python -m tests.infra.iam.page --check

# The top level has no place for mkdocs.yml, so it is beside what it needs.
.PHONY: site
site: $(SITE)/installed ## the documentation as a site, .cache/site/index.html; a link that leads nowhere fails
	@NO_MKDOCS_2_WARNING=1 $(SITE)/bin/mkdocs build --quiet --strict --config-file docs/site/mkdocs.yml
	@echo "site: .cache/site; \`$(PYTHON) -m http.server --directory .cache/site\` shows it, its search too"

.PHONY: golden
golden: $(SKY)/installed $(BENCH)/installed ## write the golden plans, stacks and losses again
	@UPDATE_GOLDEN=1 $(SKY)/bin/python -m pytest -q tests/clusterlab/test_plan.py tests/infra/test_stack.py
	@UPDATE_GOLDEN=1 $(BENCH)/bin/python -m pytest -q tests/jobs/parallel/test_losses.py

.PHONY: bench
bench: $(BENCH)/installed $(SKY)/installed ## measure side by side, and write BENCHMARKS.md
	@$(BENCH)/bin/python -m tests.bench

# --- images -----------------------------------------------------------------

IMAGES := train serve
LOCK_train := images/train.lock
LOCK_serve := images/vllm-cuda.lock
# 1 builds on a base whose digest no registry has given.
UNVERIFIED ?=
image-%: export SOURCE_DATE_EPOCH = $(shell git log -1 --format=%ct)

.PHONY: $(IMAGES:%=image-%)
image-%: ## build images/%.Dockerfile with Docker, such as image-train (docs/images.md)
$(IMAGES:%=image-%): image-%: $(SKY)/installed
	@base=$$($(SKY)/bin/clusterlab images reference cuda $(if $(UNVERIFIED),--unverified)); \
	docker build --file images/$*.Dockerfile --tag clusterlab-$*:$$(git rev-parse --short=12 HEAD) \
	  --build-arg BASE=$$base --build-arg SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) \
	  --build-arg CREATED=$$(date --utc --date=@$(SOURCE_DATE_EPOCH) +%Y-%m-%dT%H:%M:%SZ) \
	  --build-arg REVISION=$$(git describe --always --abbrev=40 --exclude='*' --dirty) \
	  --build-arg SOURCE=$$(git config --get remote.origin.url || echo unknown) \
	  --build-arg LOCK_SHA256=$$(sha256sum $(LOCK_$*) | cut -d' ' -f1) .

.PHONY: wheel
wheel: $(UV) ## the package, dist/clusterlab-VERSION-py3-none-any.whl, for `pip install`
	@$(UV) build --quiet --wheel --python $(PYTHON) --out-dir dist
	@ls dist/clusterlab-*.whl

.PHONY: clean
clean: ## remove environments, caches, runs and wheels
	rm -rf .venv .cache runs dist
