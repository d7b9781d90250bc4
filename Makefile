# The project's commands; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv/bin
LAB := lab/lab

.PHONY: help venv demo up down status test test-unit test-lab lint bench

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

venv: ## make .venv from the lock file
	uv sync --frozen

lint: venv ## ruff, mypy, import-linter, ansible-lint
	$(VENV)/ruff check . && $(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/lint-imports

test-unit: venv ## the fast tests, without the lab
	$(VENV)/pytest -m "not lab" -n 2
