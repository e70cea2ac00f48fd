# Everything that a newcomer needs: `make dev` runs the whole flow here, `make quick` checks a commit, `make test` a
# release, and `make soak` what takes hours.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export PYTHON ?=
# What this machine trusts, a company's own proxy included; without such a list, the one that uv brings.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
export UV_SYSTEM_CERTS := 1
endif
BIN := .venv/bin
CHROMIUM ?= $(shell scripts/browser --find)
export CHROMIUM
# The tests start hundreds of Python processes; without bytecode each compiles the service anew, a quarter of its start.
unexport PYTHONDONTWRITEBYTECODE
NODE = $(BIN)/python -c 'from playwright._impl._driver import compute_driver_executable as driver; print(driver()[0])'
CORES := $(shell getconf _NPROCESSORS_ONLN)
# A worker process that ends ends the run: with another in its place, tests may be left that no worker is given.
IN_MEMORY := TMPDIR="$$(scripts/temporary-folder)"
PYTEST := $(IN_MEMORY) $(BIN)/pytest -q --durations=10 --max-worker-restart 0 -n $(CORES) --dist worksteal
BROWSER := $(IN_MEMORY) $(BIN)/pytest -q --durations=10 --max-worker-restart 0 -n 2 --dist loadfile -m browser
COVERED := $(IN_MEMORY) $(BIN)/coverage run -m pytest -q --durations=10 --max-worker-restart 0 -n $(CORES)
# Coverage takes as long again as the tests themselves, so it watches only what runs lines that no other test runs. These,
# the integration tests once more on PostgreSQL and the browser tests run without it. Before a file joins them, compare the
# report of `make coverage`: no line and no branch may be missed that was not missed before.
UNCOVERED := tests/simulation tests/load tests/upgrade tests/mutation tests/test_code_rules.py \
  tests/test_signing_mutations.py \
  $(patsubst %,tests/contract/test_%.py,openapi provider_against_sandbox sandbox_checks template_contexts) \
  $(patsubst %,tests/domain/test_%.py,recording_order session_status) \
  $(patsubst %,tests/sandbox/test_%.py,documents fields metering) \
  $(patsubst %,tests/store/test_%.py,connections_order leases sessions) tests/web/test_pages_in_other_languages.py \
  $(patsubst %,tests/integration/test_%.py,attribution candidates costs crash create_session embed_flow events \
  foreign_ids host_frameworks outcome_only page_advice page_refusals provider_troubles reconnect redirect_flow revoke \
  session_life slow_checks status_words untidy_provider verify webhook_forgeries wrong_password)
# The dearest tests of other files, which run no line or branch alone either.
UNCOVERED_TESTS := \
  tests/integration/test_reconciliation.py::test_many_webhooks_of_one_company_cause_polls_within_its_hourly_budget \
  tests/integration/test_reconciliation.py::test_within_a_minute_long_after_the_page_was_opened \
  tests/integration/test_progress.py::test_many_present_pages_share_the_companys_budget_and_all_are_read_in_turn \
  tests/test_urls.py::test_whatever_follows_the_host_leaves_the_origin_alone

# These take longest: they start whole servers, hold databases up, or repeat a scenario for every order and answer.
# `make test` runs them.
NOT_QUICK := $(patsubst %,tests/store/test_%.py,connections_order plans postgres_away postgres_connections) \
  $(patsubst %,tests/integration/test_%.py,commands dev host_frameworks log_secrets node_receivers \
  costs crash data outcome_only provider_troubles reminders slow_checks unlisted untidy_provider \
  user_ids wrong_password)

.PHONY: help dev quick test soak pictures check format types contracts javascript unit browser parts \
  browser-then-uncovered covered-then-postgresql coverage uncovered postgresql \
  bench bench-parts bench-sessions bench-streams bench-deliveries bench-large first-panel \
  repeats simulate kill away soak-load forgeries mutants fuzz engines frameworks browser-installed node-packages clean

help: ## what can be made here
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

dev: .venv/.runtime ## sandbox, service and demo host app, side by side; options in ARGS="…"
	@exec $(BIN)/magiclink dev $(ARGS)

quick: .venv/.dev ## for each commit: the fast checks; domain, integration on SQLite, store on both databases
	@$(MAKE) --no-print-directory check
	$(PYTEST) -m "not postgresql" $(NOT_QUICK:%=--ignore=%) $(UNCOVERED_TESTS:%=--deselect=%) \
	  tests/domain tests/integration tests/store tests/test_code_rules.py $(ARGS)

test: .venv/.dev ## for each release: installs what it needs, the browser included; then every check and every test
	@$(MAKE) --no-print-directory browser-installed node-packages
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory -j 2 --output-sync=target parts

soak: repeats simulate kill forgeries mutants away soak-load fuzz pictures engines frameworks ## for hours: the long runs, one after the other

check: format types contracts javascript ## the fast checks: format, lint, types, directions, scripts

format: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/.dev
	$(BIN)/mypy

contracts: .venv/.dev
	$(BIN)/lint-imports

javascript: .venv/.dev # with the Node that playwright brings, so that none need be installed
	node=$$($(NODE)); for script in $$(find service -name '*.js' | sort); do "$$node" --check "$$script"; done

unit: .venv/.dev browser-installed node-packages ## every test but the browser's, without coverage
	$(PYTEST) -m "not browser" $(ARGS)

browser: .venv/.dev browser-installed node-packages ## the browser's tests alone
	$(BROWSER) $(ARGS)

pictures: .venv/.dev browser-installed ## every page at two widths, light and dark, in artefacts/screens
	MAGICLINK_PICTURES=1 $(BROWSER) -m "browser or soak" $$(grep -l screenshots tests/browser/test_*.py) $(ARGS)

# Two at a time, of about the same length, for browsers wait often; each prints when it is done, and a failure of either
# is one of `make test`.
parts: browser-then-uncovered covered-then-postgresql

browser-then-uncovered: browser
	@$(MAKE) --no-print-directory uncovered

covered-then-postgresql: coverage
	@$(MAKE) --no-print-directory postgresql

coverage: .venv/.dev browser-installed node-packages
	$(BIN)/coverage erase
	$(COVERED) --dist worksteal -m "not browser and not postgresql" $(UNCOVERED:%=--ignore=%) \
	  $(UNCOVERED_TESTS:%=--deselect=%)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

uncovered: .venv/.dev
	$(PYTEST) $(UNCOVERED) $(UNCOVERED_TESTS)

postgresql: .venv/.dev
	$(PYTEST) -m postgresql $(UNCOVERED:%=--ignore=%) $(UNCOVERED_TESTS:%=--deselect=%) tests/integration

engines: .venv/.dev browser-installed ## every walk 20 times in Firefox, WebKit and Chromium, in each privacy mode; pictures in artefacts/engines
	MAGICLINK_ENGINE_RUNS=$${MAGICLINK_ENGINE_RUNS:-20} $(BIN)/pytest -q --durations=10 tests/browser/engines $(ARGS)

frameworks: .venv/.dev browser-installed tests/node/frameworks/node_modules/.installed ## the guide's components, built and walked through in Chromium
	$(BIN)/pytest -q --durations=10 tests/browser/frameworks.py $(ARGS)

bench: .venv/.dev ## each request on SQLite and PostgreSQL beside its floor, in turns; options in ARGS="…"
	$(BIN)/python -m tests.load.bench $(ARGS)

bench-parts: .venv/.dev ## what each part of a request costs the processor, beside its floor; options in ARGS="…"
	$(BIN)/python -m tests.load.request_parts $(ARGS)

bench-sessions: .venv/.dev ## whole sessions a second, and what one costs; options in ARGS="…"
	$(BIN)/python -m tests.load.whole_sessions $(ARGS)

bench-streams: .venv/.dev ## live streams: memory, news, slow readers, and all of them again after a restart; options in ARGS="…"
	$(BIN)/python -m tests.load.streams $(ARGS)

bench-deliveries: .venv/.dev ## deliveries to hosts beside their floor, and what a dead endpoint costs the others and the pages
	$(BIN)/python -m tests.load.deliveries $(ARGS)
	$(BIN)/python -m tests.load.dead_endpoint

first-panel: .venv/.dev browser-installed ## how long a user waits for our first panel, over a slow line and prepared
	$(BIN)/python -m tests.load.first_panel $(ARGS)

bench-large: .venv/.dev ## the same requests with a thousand sessions and with a million; options in ARGS="…"
	$(BIN)/python -m tests.load.large $(ARGS)

repeats: .venv/.dev ## the tests that repeat what another shows, marked `soak`, but the browser's, which `make pictures` runs
	$(PYTEST) -m "soak and not browser" $(ARGS)

simulate: .venv/.dev ## seeded histories of users, troubles and crashes; options in ARGS="…"
	$(BIN)/python -m tests.simulation $(ARGS)
	$(BIN)/python -m tests.simulation --episodes $(ARGS)

kill: .venv/.dev ## workers killed at random moments under load, on both databases; options in ARGS="…"
	$(BIN)/python -m tests.load.kill --database sqlite $(ARGS)
	$(BIN)/python -m tests.load.kill --database postgresql --workers 3 $(ARGS)
	$(BIN)/python -m tests.load.standstill --database sqlite
	$(BIN)/python -m tests.load.standstill --database postgresql --workers 3

soak-load: .venv/.dev ## an hour of mixed load with troubles, then more than one process answers; options in ARGS="…"
	$(BIN)/python -m tests.load.soak $(ARGS)

away: .venv/.dev ## the database away, frozen, full or read-only for half a minute under load; options in ARGS="…"
	$(BIN)/python -m tests.load.away --database sqlite $(ARGS)
	$(BIN)/python -m tests.load.away --database postgresql $(ARGS)

forgeries: .venv/.dev ## a million changed states and tokens, of which none may be accepted; options in ARGS="…"
	$(BIN)/python -m tests.load.forge $(ARGS)

mutants: .venv/.dev ## the modules that decide, changed in every small way: their tests must notice; options in ARGS="…"
	$(BIN)/python -m tests.mutation $(ARGS)

fuzz: .venv/.dev ## every call of the API's description, with all checks of schemathesis; options in ARGS="…"
	$(BIN)/python -m tests.load.fuzz --examples 200 $(ARGS)

browser-installed:
	@scripts/browser >/dev/null

node-packages: tests/node/node_modules/.installed # what the tests run on Node

tests/node/node_modules/.installed: tests/node/package.json tests/node/package-lock.json
	@scripts/node-packages
	@touch $@

tests/node/frameworks/node_modules/.installed: tests/node/frameworks/package.json tests/node/frameworks/package-lock.json
	@scripts/node-packages frameworks
	@touch $@

clean: ## forgets what was built and cached; keeps .magiclink/, the data of make dev
	rm -rf .venv dist artefacts tests/node/node_modules tests/node/frameworks/node_modules tests/node/frameworks/built .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/.runtime: pyproject.toml uv.lock
	@scripts/install --no-dev --inexact
	@touch $@

.venv/.dev: pyproject.toml uv.lock
	@scripts/install
	@touch .venv/.runtime $@
