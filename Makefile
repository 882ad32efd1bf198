# Quakeslide. `make` prints this help.
PYTHON    ?= python3
TERRAFORM ?= terraform
ENVS      := build/envs
UV        := $(ENVS)/bootstrap/bin/uv
LOCKS     := functions/poll_earthquakes functions/export_composites functions/detect_landslides serving training infra/local tests
TESTS     := $(ENVS)/tests/bin

.DEFAULT_GOAL := help
.PHONY: help demo test lint types test-unit test-contract test-e2e test-training test-infra sabotage soak bench plan deploy destroy smoke bundle models train quiet docs format envs lock clean
.DELETE_ON_ERROR:
export GRPC_VERBOSITY ?= ERROR
export TF_CPP_MIN_LOG_LEVEL ?= 2

help: ## print this help
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- environments: each made only from the lock beside its use -------------------------------------------------------
$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' \
	  || { echo "Quakeslide needs Python 3.11 or 3.12; $$($(PYTHON) --version 2>&1) found. Try: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "setting up: uv (fetches and caches packages)"
	@$(PYTHON) -m venv $(ENVS)/bootstrap || { echo "the Python module venv is missing: install python3-venv" >&2; exit 1; }
	@$(ENVS)/bootstrap/bin/pip install -q --disable-pip-version-check 'uv>=0.7,<1'

# $(call environment,NAME,FOLDER OF THE LOCK,EXTRA FLAGS)
define environment
$(ENVS)/$(1)/.done: $(2)/requirements.txt $(UV)
	@echo "setting up: environment $(1)"
	@$(UV) venv -q --clear --no-python-downloads --python $$$$(readlink -f $(ENVS)/bootstrap/bin/python) $(ENVS)/$(1)
	@$(UV) pip install -q --python $(ENVS)/$(1) --require-hashes $(3) -r $(2)/requirements.txt
	@touch $$@
endef
$(eval $(call environment,poll_earthquakes,functions/poll_earthquakes))
$(eval $(call environment,export_composites,functions/export_composites))
$(eval $(call environment,detect_landslides,functions/detect_landslides))
$(eval $(call environment,serving,serving,--no-deps))
$(eval $(call environment,training,training))
$(eval $(call environment,local,infra/local))
$(eval $(call environment,tests,tests))

export TERRAFORM
# compiled modules are kept beside their sources: else every process of a test run that needs TensorFlow compiles it anew, 7 s of CPU
unexport PYTHONDONTWRITEBYTECODE
envs: $(foreach e,poll_earthquakes export_composites detect_landslides serving training local tests,$(ENVS)/$(e)/.done) build/messages/.done ## make every environment

# --- what is built from the sources -----------------------------------------------------------------------------------
FUNCTIONS     := poll_earthquakes export_composites detect_landslides
BUNDLES       := $(foreach f,$(FUNCTIONS),build/bundles/$(f).zip)
SOURCES       := $(shell find functions -name '*.py' -o -name '*.j2' -o -name '*.json' -o -name '*.gz' -o -name '*.css' -o -name '*.js' -o -name requirements.txt 2>/dev/null)
SERVING_SITE   = $(wildcard $(ENVS)/serving/lib/python3.*/site-packages)
LOCAL_ENVS    := $(foreach e,$(FUNCTIONS) serving training local,$(ENVS)/$(e)/.done)

build/bundles/%.zip: functions/bundle.py $(SOURCES) $(ENVS)/serving/.done
	@$(ENVS)/serving/bin/python functions/bundle.py zip $* --site-packages $(SERVING_SITE) --out build/bundles

build/messages/.done: functions/bundle.py $(ENVS)/serving/.done
	@$(ENVS)/serving/bin/python functions/bundle.py messages --site-packages $(SERVING_SITE) --out build/messages
	@touch $@

build/models/.done: $(wildcard serving/models/*/*) training/model_folder.py $(wildcard training/served/*.py) $(wildcard training/networks/*.py) $(ENVS)/training/.done
	@echo "building: SavedModels of the demo models"
	@$(ENVS)/training/bin/python -m training export --models serving/models --to build/models
	@$(ENVS)/training/bin/python serving/fetch_served.py list build/models >/dev/null
	@touch $@

bundle: $(BUNDLES) ## make the functions' zips in build/bundles
models: build/models/.done ## make the SavedModels of the demo models in build/models

# --- the two commands --------------------------------------------------------------------------------------------------
demo: $(LOCAL_ENVS) $(BUNDLES) build/models/.done ## replay the Noto earthquake of 2024 until its landslide map lies in the bucket
	@$(ENVS)/local/bin/python -m infra.local demo

# two at a time; the tests of one file share what it starts
PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder

# $(call timed,NAME,COMMAND): run it, say how long it took
timed = @echo "== $(1)"; start=$$(date +%s); $(2) && echo "== $(1): $$(( $$(date +%s) - start )) s"

test: lint types test-unit test-training test-contract test-infra test-e2e ## everything that needs no cloud, each part with its time

lint: $(ENVS)/tests/.done ## ruff and import-linter
	$(call timed,lint,$(TESTS)/ruff check . && $(TESTS)/ruff format --check . && PYTHONPATH=functions:. $(TESTS)/lint-imports)

types: $(ENVS)/tests/.done ## mypy --strict over the library and the training
	$(call timed,types,$(TESTS)/mypy)

test-unit: $(ENVS)/tests/.done build/messages/.done ## pure tests, no socket
	$(call timed,unit,$(TESTS)/python -m pytest tests/unit $(PARALLEL) --disable-socket)

test-contract: $(ENVS)/tests/.done $(LOCAL_ENVS) $(BUNDLES) build/messages/.done build/models/.done ## every adapter against each implementation of its other side
	$(call timed,contract,$(TESTS)/python -m pytest tests/contract $(PARALLEL) -rs)

test-e2e: $(ENVS)/tests/.done $(LOCAL_ENVS) $(BUNDLES) build/models/.done ## the functions' zips on the local stack, an earthquake in, products out
	$(call timed,e2e,$(TESTS)/python -m pytest tests/e2e $(PARALLEL) -rs)

test-infra: $(ENVS)/tests/.done $(LOCAL_ENVS) $(BUNDLES) build/models/.done ## terraform fmt, validate, test where terraform can run; the operator's commands
	$(call timed,infra,TERRAFORM="$(TERRAFORM)" $(TESTS)/python -m pytest infra/tests -rs)

test-training: $(ENVS)/training/.done $(ENVS)/local/.done ## simulator, patches, networks, tile graph, small trainings
	$(call timed,training,TF_ENABLE_ONEDNN_OPTS=1 $(ENVS)/training/bin/python -m pytest training/tests $(PARALLEL))

sabotage: $(ENVS)/tests/.done $(LOCAL_ENVS) $(BUNDLES) build/messages/.done build/models/.done ## break a copy of the code on purpose; every mutation must be killed
	@$(TESTS)/python -m tests.sabotage

soak: sabotage quiet ## the long campaigns: sabotage, and false alarms over all pseudo-dates

bench: $(foreach e,tests serving training,$(ENVS)/$(e)/.done) build/messages/.done build/models/.done ## how fast and how small the scan is beside the notebook's way; writes build/bench.json
	@$(TESTS)/python -m tests.bench

# --- the cloud: make deploy PROJECT=... REGION=... [ENVIRONMENT=prod] --------------------------------------------------
ENVIRONMENT ?= dev
DEPLOY = TERRAFORM="$(TERRAFORM)" $(TESTS)/python -m infra.deploy $(1) --project "$(PROJECT)" --region "$(REGION)" --environment "$(ENVIRONMENT)" $(YES) $(LOSE)
NEED_PROJECT = $(if $(and $(PROJECT),$(REGION)),,$(error say which project and region: make $@ PROJECT=my-project REGION=europe-west1))

plan: $(BUNDLES) build/models/.done $(ENVS)/tests/.done ## show what a deployment would change (PROJECT=, REGION=)
	$(NEED_PROJECT)@$(call DEPLOY,plan)

deploy: $(BUNDLES) build/models/.done $(ENVS)/tests/.done ## check the project, plan, ask, apply (PROJECT=, REGION=)
	$(NEED_PROJECT)@$(call DEPLOY,deploy)

destroy: $(ENVS)/tests/.done ## take the deployed system down, after asking (PROJECT=, REGION=)
	$(NEED_PROJECT)@$(call DEPLOY,destroy)

smoke: $(ENVS)/tests/.done ## trigger a small known event in the deployed system and follow it to its GeoJSON (PROJECT=, REGION=)
	$(NEED_PROJECT)@$(TESTS)/python -m infra.smoke --project "$(PROJECT)" --region "$(REGION)"

train: $(ENVS)/training/.done ## train the demo models again on simulated scenes (about an hour on two cores, reckoned from its parts)
	@$(ENVS)/training/bin/python -m training simulate --scenes-per-event 80 --unseen-scenes-per-event 10 --jobs 2
	@$(ENVS)/training/bin/python -m training fit --models 'vv*_60_12' --epochs 40 --patience 4 --jobs 2 --threads 1 --publish serving/models

quiet: $(LOCAL_ENVS) $(BUNDLES) build/models/.done ## false alarms over all pseudo-dates of the quiet mountains (MODEL=NAME: with that model alone)
	@$(ENVS)/local/bin/python -m infra.local quiet $(MODEL)

docs: $(ENVS)/tests/.done ## write functions/README.md from the code
	@PYTHONPATH=functions $(TESTS)/python -m tests.write_catalogue

format: $(ENVS)/tests/.done ## format the sources
	@$(TESTS)/ruff check --fix --quiet . ; $(TESTS)/ruff format --quiet .

clean: ## remove build/ (environments, bundles, models, demo)
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

lock: $(UV) ## resolve all requirements.in together and write every lock (names, versions, hashes)
	@echo "resolving one constraint set for all locks"
	@$(UV) pip compile -q --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url \
	  --override overrides.txt -o constraints.txt $(foreach f,$(LOCKS),$(f)/requirements.in)
	@for f in $(LOCKS); do echo "  $$f/requirements.txt"; \
	  $(UV) pip compile -q --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url --generate-hashes \
	    --override overrides.txt -c constraints.txt -o $$f/requirements.txt $$f/requirements.in || exit 1; done
