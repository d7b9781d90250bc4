# The project's commands; `make help` lists them. `make demo` and `make test` do all the set-up on a fresh Debian 12 machine.
SHELL := /bin/bash
.DEFAULT_GOAL := help
UV_VERSION := 0.13.9
PIP_AUDIT_VERSION := 2.10.1
# Where no uv is installed, one of our own; the lab's builds look for it in PATH too.
export PATH := $(CURDIR)/.cache/uv/bin:$(PATH)
UV := $(shell command -v uv || echo .cache/uv/bin/uv)
BIN := .venv/bin
LAB := lab/lab
# Debian packages beside those of the lab: the virtual environment, and what tests/browser drives.
PACKAGES := python3-venv chromium xmlsec1
ASSETS := portal/web/assets
NODE_MODULES := $(ASSETS)/node_modules/.installed
STATIC := portal/web/static/manifest.json

.PHONY: help prerequisites venv assets messages settings-reference permissions up down status demo test test-unit test-front test-browser screens test-whole test-simulation test-lab test-bare test-road lint sbom audit format bench faults soak

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

prerequisites: ## install the Debian packages that the lab, the browser's tests and SAML need (root)
	@missing=$$(for package in $$(python3 $(LAB) packages) $(PACKAGES); do dpkg -s $$package >/dev/null 2>&1 || echo $$package; done); \
	if [ -n "$$missing" ]; then apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends $$missing; fi

.cache/uv/bin/uv:
	python3 -m venv .cache/uv && .cache/uv/bin/pip install -q uv==$(UV_VERSION)

venv: $(filter .cache/%,$(UV)) ## make .venv from the lock file
	@$(UV) sync --frozen --quiet

$(NODE_MODULES): $(ASSETS)/package.json $(ASSETS)/package-lock.json
	cd $(ASSETS) && npm ci --silent --no-audit --no-fund
	@touch $@

$(STATIC): $(NODE_MODULES) $(ASSETS)/build.mjs $(shell find $(ASSETS)/src templates -type f)
	cd $(ASSETS) && npm run --silent build

assets: $(STATIC) ## bundle the pages' scripts, styles, icons and font (skipped when nothing changed)

messages: venv ## add new texts of the pages to the Korean catalogue, drop old ones
	@$(BIN)/python -m tests.web.messages

settings-reference: venv ## docs/settings.md from portal/settings.py
	@$(BIN)/python -m tests.settingsreference

permissions: venv ## write docs/permissions.md anew: what every route answers everybody
	ONE_WRITE_PERMISSIONS=1 $(BIN)/python -m pytest -q -n 0 tests/web/test_access_walk.py

up: prerequisites venv assets ## build, boot and configure the lab
	python3 $(LAB) up

down: ## stop the lab; its disks are kept
	python3 $(LAB) down

status: ## the lab's hosts
	python3 $(LAB) status

demo: up ## the example App from spec file to stored model, on real Slurm
	$(BIN)/python -m lab.demo

test: prerequisites test-unit test-front test-whole test-simulation test-browser test-lab ## everything: unit tests, the browser, then the whole system on the lab

test-unit: venv assets ## the fast tests, without the lab
	$(BIN)/pytest -m "not lab and not bare and not simulation and not whole and not browser" -n 2 --dist loadfile

test-front: assets ## the browser's modules, without a browser
	cd $(ASSETS) && npm test --silent

test-browser: venv assets ## the walks in Chromium (docs/browser-tests.md; WALKS="-k w1 --pictures")
	$(BIN)/pytest tests/browser tests/keycloak/test_walks.py -n 2 --dist loadfile $(WALKS)

screens: venv assets ## a picture of every page in all eight looks, in .cache/browser-pictures/screens (docs/browser-tests.md)
	ONE_ALL_LOOKS=1 $(BIN)/pytest tests/browser/test_every_page.py -n 2

test-whole: venv ## example programs as processes, recorded graphs, generated requests
	$(BIN)/pytest -m "whole and not lab" -n 2 --dist loadgroup

test-simulation: venv ## 300 simulated schedules of crashes, lost answers and outages
	$(BIN)/pytest -m "simulation and not lab" -n 2

test-road: up ## the road alone, on Debian trixie's Slurm too: LAB_SUITE=trixie make test-road
	$(BIN)/pytest tests/lab/test_road.py tests/lab/test_agent.py -m lab

test-bare: prerequisites venv ## a host with nothing but systemd, ssh and Python is installed by the roles and runs a job
	$(BIN)/pytest tests/bare -m bare -n 0

test-lab: up ## the tests of the whole system on the lab
	$(BIN)/pytest tests/lab -m "lab and beside" -n 3 --dist loadfile --durations 10
	$(BIN)/pytest tests/lab -m "lab and not beside" --durations 20

lint: venv $(NODE_MODULES) ## ruff, mypy, import-linter, ansible-lint, biome, tsc
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd ansible && ../$(BIN)/ansible-lint -q -c .ansible-lint
	cd $(ASSETS) && npm run --silent lint

sbom: venv ## dist/sbom/: what the wheel and the browser's scripts are made of, as CycloneDX, from the lock files
	@mkdir -p dist/sbom
	$(UV) export --frozen --no-dev --quiet --format cyclonedx1.5 --output-file dist/sbom/python.cdx.json
	cd $(ASSETS) && npm sbom --sbom-format cyclonedx --package-lock-only --omit dev > $(CURDIR)/dist/sbom/browser.cdx.json

audit: venv ## known vulnerabilities of what is installed (asks PyPI's and npm's advisory services)
	@mkdir -p dist
	$(UV) export --frozen --no-dev --no-emit-project --quiet --output-file dist/requirements.txt
	$(UV) tool run pip-audit==$(PIP_AUDIT_VERSION) --requirement dist/requirements.txt --disable-pip --require-hashes --strict
	cd $(ASSETS) && npm audit --package-lock-only

format: venv $(NODE_MODULES) ## let ruff and biome format the code
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .
	cd $(ASSETS) && npm run --silent format

bench: venv ## what the road costs on the lab (make up first): table, docs/benchmarks.json and .md (BENCH="--parts ...")
	$(BIN)/python -m bench $(BENCH)

faults: venv ## docs/faults.md from what the last run of the fault tests saw
	$(BIN)/python -m tests.lab.faults.report

soak: venv ## 100,000 simulated schedules of crashes and outages (SCHEDULES=N)
	$(BIN)/python -m tests.simulation.soak --schedules $(or $(SCHEDULES),100000)
