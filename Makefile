# Every target sets up what it needs in this checkout (.venv, .cache, .airflow) and writes nothing outside of it.
# PYTHON=... names the interpreter of a new .venv, PORT=... the port of `make up`.
.DEFAULT_GOAL := help
.PHONY: help setup demo test up up-cluster docs lint audit lock bench clean
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

PORT ?= 8080
SIZE ?= full
# Processes that run tests; one more than cores, since those that run an Airflow often wait for it.
WORKERS ?= 3
export PYTHON PORT

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## install what requirements.txt locks into .venv (the other targets do this first)
	@tools/setup

demo: setup ## rebuild and publish the sample experiments through Airflow, then show what was found
	@tools/demo

test: setup ## run the unit, integration and end-to-end tests
	@tools/browser
	@tools/prometheus
	@tools/servers
	@unset FAULTSET_CATALOG FAULTSET_DATASETS FAULTSET_INBOX FAULTSET_WORK; \
	tools/run pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder tests

up: setup ## start Airflow with its UI on the sample experiments; Ctrl-C stops it
	@tools/up

up-cluster: setup ## as up, on PostgreSQL, Redis, Celery and S3: the parts of deploy/compose.yaml as plain processes
	@tools/servers
	@tools/run python deploy/cluster.py up

audit: setup ## compare the locked packages with published advisories; says so where they cannot be reached
	@tools/audit

docs: setup ## build the documentation site into .cache/site; a broken link fails
	@tools/run zensical build

lint: setup ## check style, types, imports, the Dockerfile, the scripts and the lock
	@tools/lint

lock: ## compile requirements.txt from pyproject.toml, keeping pins that still fit
	@tools/lock

bench: setup ## run all benchmarks and write docs/reference/benchmarks.md; SIZE=smoke ends within minutes
	@tools/run python benchmarks/run.py --size $(SIZE)

clean: ## remove all that was set up and cached here; published datasets stay
	rm -rf .venv .cache .airflow .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
