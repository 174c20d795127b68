# davit: every target works from a fresh clone, as root, on Debian 12/13 and Ubuntu 22.04/24.04.
# `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
COLLECTION := .ansible/collections/ansible_collections/davit/fleet
STAGES := lint unit sanity,molecule+compat,test-swarm engine-test
PYTEST_ARGS ?=

export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Through a pipe too, progress is to be seen when it happens.
export PYTHONUNBUFFERED := 1

.PHONY: help venv system-deps peer-deps lock lint unit engine-test compat sanity molecule test test-swarm \
	quickstart quickstart-swarm lab-up lab-down bench clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

venv: $(VENV)/.stamp $(COLLECTION) ## Make .venv: pinned requirements and the engine, editable

$(VENV)/.stamp: requirements/engine.txt requirements/dev.txt engine/pyproject.toml
	@scripts/make-venv $(PYTHON) $(VENV) requirements/engine.txt requirements/dev.txt
	@echo "installing the engine, editable"
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable engine
	@touch $@

# The repository's root is the collection: Ansible finds it under its full name through this link.
$(COLLECTION):
	@mkdir -p $(dir $@)
	@ln -sfn $(CURDIR) $@

system-deps: ## Install the distribution's packages that davit needs (only when missing)
	@scripts/system-deps base

peer-deps: system-deps ## Install Moby too: the peer of the tests and of the benchmark
	@scripts/system-deps peer

lock: venv ## Resolve requirements/*.in into requirements/*.txt
	@scripts/lock

lint: venv ## ruff, mypy, import-linter, yamllint, ansible-lint, the tree's own rules
	@scripts/lint

unit: venv ## Unit tests of the collection
	@$(BIN)/pytest tests/unit $(PYTEST_ARGS)

engine-test: venv peer-deps ## Tests of the engine, on real containers
	@$(BIN)/pytest $(wildcard tests/engine tests/integration) --numprocesses 3 $(PYTEST_ARGS)

compat: venv peer-deps $(VENV)-compat/.stamp ## The integration suite of docker-py, on davitd
	@$(BIN)/pytest tests/compat $(PYTEST_ARGS)

sanity: venv ## ansible-test sanity on the collection
	@scripts/sanity

test-swarm: venv peer-deps ## Swarms of Moby managers and davit workers, in the lab over SSH
	@$(BIN)/pytest tests/swarm $(PYTEST_ARGS)

molecule: venv system-deps ## The default molecule scenario, in the lab
	@molecule test --scenario-name default

test: venv peer-deps ## All of these, some side by side, up to the first failure
	@scripts/run-stages $(STAGES)

quickstart: venv system-deps ## Start the lab, install davit on its hosts, run containers on them
	@ansible-playbook playbooks/quickstart.yml

quickstart-swarm: venv system-deps ## Start a lab, make a swarm of its hosts, run a service on them
	@ansible-playbook playbooks/quickstart_swarm.yml

lab-up: venv system-deps ## Start the lab's hosts only
	@ansible-playbook playbooks/lab_up.yml

lab-down: venv ## Remove the lab and everything it left on this machine
	@ansible-playbook playbooks/lab_down.yml

bench: venv peer-deps $(VENV)-bench/.stamp ## Measure davit against Moby and community.docker
	@$(BIN)/python -m tests.bench $(BENCH_ARGS)

$(VENV)-bench/.stamp $(VENV)-compat/.stamp: $(VENV)-%/.stamp: requirements/%.txt
	@scripts/make-venv $(PYTHON) $(VENV)-$* $<
	@touch $@

clean: ## Remove what the targets above made, except a running lab
	@rm -rf $(VENV) $(VENV)-bench $(VENV)-compat .ansible .cache build dist
	@find engine plugins tests -name __pycache__ -type d -prune -exec rm -rf {} +
