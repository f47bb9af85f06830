# Portcullis. `make help` lists what there is; every target installs what it needs.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# One set of features for everything, so that nothing is compiled twice.
CARGO_ALL := --workspace --locked

.PHONY: help demo check test e2e long bench doc fuzz

help: ## Lists the targets.
	@grep -E '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9]+):.*## /\1\t/' | expand -t 10

demo: ## Builds the gateway and starts the demo on 127.0.0.1:8443.
	scripts/setup.sh build
	cargo run --locked -p portcullis -- demo

check: ## Format, lints, documentation, and the arrows between the crates.
	scripts/setup.sh test
	cargo fmt --all --check
	cargo clippy $(CARGO_ALL) --all-targets --features scenarios/e2e -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc $(CARGO_ALL) --no-deps
	cargo test $(CARGO_ALL) --test arrows

test: ## Unit tests, and black-box scenarios against the real binaries.
	scripts/setup.sh test
	cargo build $(CARGO_ALL) --bins --tests
	cargo test $(CARGO_ALL) --no-fail-fast

e2e: ## Scenarios with nginx as a backend, curl as a client, and the demo.
	scripts/setup.sh e2e
	cargo build $(CARGO_ALL) --bins --tests
	cargo test $(CARGO_ALL) --features scenarios/e2e --test e2e

long: ## The differential test over a million targets.
	scripts/setup.sh test
	cargo build $(CARGO_ALL) --bins --tests
	DIFFERENTIAL_TARGETS=1000000 cargo test $(CARGO_ALL) --test differential -- --nocapture

fuzz: ## Differential and property tests from a new seed.
	scripts/setup.sh test
	cargo build $(CARGO_ALL) --bins --tests
	DIFFERENTIAL_SEED=$$(date +%s) DIFFERENTIAL_TARGETS=200000 PROPTEST_CASES=20000 \
		cargo test $(CARGO_ALL) -- --nocapture

bench: ## CPU per request as a ratio to bare Pingora.
	scripts/setup.sh bench
	cargo build --release --locked -p portcullis -p floor
	load-tests/run.py

doc: ## The reference of the crates, in target/doc.
	scripts/setup.sh build
	cargo doc $(CARGO_ALL) --no-deps
