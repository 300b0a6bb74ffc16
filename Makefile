# Two commands matter: `make run` and `make test`. What they do lives in scripts/, one concern a file.

.DEFAULT_GOAL := help
.PHONY: help run build test check fmt openapi fuzz fuzz-edge load bench release clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-zA-Z%-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Install what is missing, build, and start the panel (Ctrl-C stops it)
	@scripts/run.sh

build: ## Build the product as it is shipped, and say where it lies
	@scripts/setup.sh run
	@scripts/build.sh

test: ## Run every test; STAGE="unit engine" runs some (check pages unit sqlite postgres fuzz release acme engine swarm browser; by name: builder load)
	@scripts/test.sh $(STAGE)

check: ## Check the format, run clippy on the server and the browser half, and look at what comes from others
	@scripts/setup.sh check
	@scripts/check.sh

fmt: ## Format the code
	@cargo fmt --all

openapi: ## Write docs/openapi.json, the document of the API
	@SKY_WRITE_OPENAPI=1 scripts/test.sh openapi

fuzz: ## Try the API for longer, with new seeds (SKY_FUZZ_ROUNDS=10)
	@scripts/setup.sh test
	@SKY_FUZZ_ROUNDS=$${SKY_FUZZ_ROUNDS:-10} SKY_FUZZ_EXAMPLES=$${SKY_FUZZ_EXAMPLES:-60} scripts/test/fuzz.sh

fuzz-edge: ## Try what the edge reads from strangers for ten minutes (SKY_FUZZ_SECONDS=600)
	@scripts/setup.sh run
	@scripts/fuzz-edge.sh

load: ## Send 100 000 requests while an application deploys, scales and loses machines (SKYPANEL_TEST_REQUESTS=…)
	@scripts/test.sh load

bench: ## Measure everything, and write docs/benchmarks.md
	@scripts/bench.sh

bench-%: ## Measure one thing (bench-wasm bench-deploy bench-idle bench-pages bench-api bench-edge bench-time)
	@scripts/bench.sh $*

release: ## Pack the product: dist/skypanel-VERSION-ARCHITECTURE.tar.gz
	@scripts/release.sh

clean: ## Remove what was built in this checkout; data/ and the shared cache stay
	@rm -rf .cache target dist node_modules end2end/node_modules end2end/screenshots
