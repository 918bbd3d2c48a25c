# Hubbub. The work is in scripts/; each does only what is left to do.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run build dev test simulate lint chaos chaos-mutants simulate-mutants advisories gcloud-flags screenshots lighthouse switch icons docker image-root clean

help: ## List these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do \
	  printf '  make %-16s %s\n' "$$name" "$$text"; done

run: ## Build if need be, then serve http://127.0.0.1:3000 (PORT=…, ARGS="…")
	@scripts/run.sh $(ARGS)

build: ## Make the release: dist/, the binary and its site/
	@scripts/build.sh

dev: ## Rebuild on every change and reload the page
	@scripts/dev.sh $(ARGS)

test: ## Every test: Rust, the release's files, then a real browser (ONLY=rust|chaos|dist|e2e|traces)
	@scripts/test.sh $(ONLY)

simulate: ## Run seeds of the simulation of everything in one process; a failing one prints its trace (SEED=… STEPS=… SEEDS=…)
	@cargo test --quiet --test simulation -- --exact one_seed --nocapture

chaos: ## Break everything under people who talk, then check what they saw (SEED=… FAULTS=… SECS=… ENGINE=…)
	@scripts/chaos.sh

lint: ## Formatting, lints, licences of crates, types, shell scripts
	@scripts/lint.sh

advisories: ## What is known against the crates in Cargo.lock (asks the RustSec database)
	@scripts/advisories.sh

chaos-mutants: ## Prove that the chaos finds deliberate bugs (ONLY="name…", SEED=…)
	@scripts/chaos-mutants.sh $(ONLY)

simulate-mutants: ## Prove that the simulation finds deliberate bugs (ONLY="name…", SECS=…)
	@scripts/simulate-mutants.sh $(ONLY)

gcloud-flags: ## Write down anew what the installed gcloud knows of the commands in deploy/cloud-run/
	@grep -v '^#' tests/cloud_run/flags.tsv | cut -f1 | sort -u | tr '\n' '\0' | xargs -0 tests/cloud_run/flags.py >target/flags.tsv
	@mv target/flags.tsv tests/cloud_run/flags.tsv

screenshots: ## Take a picture of every state of the page (ONLY=…): end2end/screenshots/, a few in docs/screenshots/
	@scripts/browser.sh screenshots

lighthouse: ## Measure sign-in and a room with Lighthouse, as on a phone (RUNS=…)
	@scripts/lighthouse.sh

switch: ## Measure how soon a room that was visited before is on the screen
	@scripts/browser.sh switch

icons: ## Draw the icons again from public/favicon.svg
	@scripts/browser.sh icons

docker: ## Build the container image hubbub:latest
	docker build --tag hubbub .

image-root: ## Run the Dockerfile's steps in clean Debian roots, without Docker, and try what comes of them (as root)
	@scripts/image-root.sh

clean: ## Remove what was built; tools, data and node_modules stay
	rm -rf dist target end2end/test-results end2end/playwright-report
