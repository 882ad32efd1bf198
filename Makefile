# Quakeslide. `make` prints this help.
PYTHON    ?= python3
TERRAFORM ?= terraform
ENVS      := build/envs
UV        := $(ENVS)/bootstrap/bin/uv
LOCKS     := functions/poll_earthquakes functions/export_composites functions/detect_landslides serving training infra/local tests
TESTS     := $(ENVS)/tests/bin

.DEFAULT_GOAL := help
.PHONY: help envs lock
.DELETE_ON_ERROR:

help: ## print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

envs: $(foreach e,poll_earthquakes export_composites detect_landslides serving training local tests,$(ENVS)/$(e)/.done) ## make every environment

lock: $(UV) ## resolve all requirements.in together and write every lock (names, versions, hashes)
	@echo "resolving one constraint set for all locks"
	@$(UV) pip compile -q --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url \
	  --override overrides.txt -o constraints.txt $(foreach f,$(LOCKS),$(f)/requirements.in)
	@for f in $(LOCKS); do echo "  $$f/requirements.txt"; \
	  $(UV) pip compile -q --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url --generate-hashes \
	    --override overrides.txt -c constraints.txt -o $$f/requirements.txt $$f/requirements.in || exit 1; done
